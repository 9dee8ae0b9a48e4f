"""A policy that is a table: three tokens in a row out of three, so that all 27 sequences can be gone through."""

import torch


class Table:
    """Logits for each prefix, in double precision. `logp_S` are the log-probabilities of the 27 sequences."""

    def __init__(self, seed: int = 0) -> None:
        chance = torch.Generator().manual_seed(seed)
        self.logits = [torch.randn(*[3] * n, dtype=torch.float64, generator=chance).requires_grad_() for n in (1, 2, 3)]
        self.rewards_S = torch.randn(27, dtype=torch.float64, generator=chance)

    @property
    def logp_ST(self):
        """log p of each token of each sequence: (27, 3)."""
        first, second, third = (logits.log_softmax(-1) for logits in self.logits)
        a, b, c = torch.meshgrid(*[torch.arange(3)] * 3, indexing="ij")
        return torch.stack([first[a], second[a, b], third[a, b, c]], -1).reshape(27, 3)

    @property
    def logp_S(self):
        return self.logp_ST.sum(-1)

    def gradient(self, value):
        """The gradient of a number with respect to all logits, as one vector."""
        return torch.cat([part.flatten() for part in torch.autograd.grad(value, self.logits, retain_graph=True)])

    def exact_gradient(self):
        """Of the expected reward."""
        return self.gradient((self.logp_S.exp() * self.rewards_S).sum())

    def pairs(self):
        """All groups of two: sequences (729, 2) and how probable each group is."""
        one, other = torch.meshgrid(torch.arange(27), torch.arange(27), indexing="ij")
        groups_N2 = torch.stack([one.flatten(), other.flatten()], -1)
        return groups_N2, self.logp_S.detach()[groups_N2].sum(-1).exp()
