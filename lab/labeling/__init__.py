"""Labeling: which pair comes next and on which sides, the votes, what they say, and the way into training.

labeling  all projects, the door      desk      one project at work         state    what follows from its journal
assign    who gets which pair         chance    keyed hashes                plan     what is compared, in which order
answers   made ahead by models        judges    who votes after a person    report   what the votes say
export    votes as training data      people    one person in numbers       store    files
"""

from lab.labeling.desk import Project as Project
from lab.labeling.export import ExportConfig as ExportConfig
from lab.labeling.export import Manifest as Manifest
from lab.labeling.labeling import Labeling as Labeling
from lab.labeling.project import LabelingConfig as LabelingConfig
from lab.labeling.project import Pair as Pair
from lab.labeling.project import Remarks as Remarks
from lab.labeling.report import Report as Report
