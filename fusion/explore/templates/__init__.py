"""Labels from a few clips: prototypes, scores that can be believed, and `uncertain` where they cannot.

from fusion.explore.templates import Templates, load_templates, save_templates

few = FileVectors(Path("few"), model="emotion2vec_plus_large", metadata=table).collect()  # a few labelled clips
space = Space.fit(store_of_many.vectors, fingerprint=few.maker.fingerprint)  # or of the few themselves
templates = Templates.fit(few, space=space)
save_templates(Path("my-templates"), templates)
templates = load_templates(Path("my-templates"))
scores = templates.score(new.vectors, maker=new.maker)
scores.labels(), scores.probabilities  # ["angry", "uncertain", …], (rows, classes)
"""

from fusion.explore.templates.rejecting import Reject as Reject
from fusion.explore.templates.saving import load_templates as load_templates
from fusion.explore.templates.saving import save_templates as save_templates
from fusion.explore.templates.scores import Scores as Scores
from fusion.explore.templates.templates import Templates as Templates
