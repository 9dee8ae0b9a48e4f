"""What votes between models say: win rates, strengths, and how much side and length swayed the people who voted.

A vote is `(model_a, model_b, outcome)` with outcome `"a" "b" "tie" "both_bad"`; more about it can be said with `Vote`.
"""

from lab.arena.strength import Gap as Gap
from lab.arena.strength import Strengths as Strengths
from lab.arena.strength import bradley_terry as bradley_terry
from lab.arena.strength import strengths as strengths
from lab.arena.sway import AdjustedRate as AdjustedRate
from lab.arena.sway import Effect as Effect
from lab.arena.sway import Effects as Effects
from lab.arena.sway import PositionBias as PositionBias
from lab.arena.sway import adjusted_win_rate as adjusted_win_rate
from lab.arena.sway import effects as effects
from lab.arena.sway import longer_wins as longer_wins
from lab.arena.sway import position_bias as position_bias
from lab.arena.votes import Look as Look
from lab.arena.votes import Outcome as Outcome
from lab.arena.votes import Tally as Tally
from lab.arena.votes import Vote as Vote
from lab.arena.votes import look as look
from lab.arena.win_rate import WinRate as WinRate
from lab.arena.win_rate import more_votes as more_votes
from lab.arena.win_rate import more_votes_sentence as more_votes_sentence
from lab.arena.win_rate import votes_to_see as votes_to_see
from lab.arena.win_rate import win_rate as win_rate
