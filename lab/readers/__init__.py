"""Reading what people have: any file to examples, with a report that gives every row not taken its number and reason.

sniff                          what kind of file it is, told by its content
rows   json_rows  tables       the rows of any kind of file, each with its number, one at a time
reading                        one pass over a file: its format found out, its rows as examples, the report
format  fields                 what a format is; the names that columns have
chats  trees  pairs  labels  tasks        the formats
turns  contents                the rules that a conversation keeps, and what stands in a turn
report  census                 what was taken, what not and why; what is noticed in the rows taken
"""

from lab.readers.reading import FORMATS as FORMATS
from lab.readers.reading import Reading as Reading
from lab.readers.report import ImportCancelledError as ImportCancelledError
from lab.readers.report import ImportReport as ImportReport
from lab.readers.report import Progress as Progress
from lab.readers.report import RowFix as RowFix
from lab.readers.report import RowProblem as RowProblem
