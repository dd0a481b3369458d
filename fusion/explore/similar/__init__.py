"""How alike two clips are, and how unusual that is: one number, with the distribution that gives it a meaning.

from fusion.explore.similar import Percentiles, compare, nearest

source = FileVectors(Path("vectors"), model="emotion2vec_plus_large")  # or EncoderVectors, BundleVectors
clips = source.collect()
space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)  # centred
percentiles = Percentiles.of(clips, space)
alike = compare(clips.vectors[0], clips.vectors[1], space, percentiles)
alike.cosine, alike.percentile  # 0.42, higher than 96 % of random pairs
nearest(clips.vectors[0], clips, space, k=10)  # rows and cosines
"""

from fusion.explore.similar.compare import Compared as Compared
from fusion.explore.similar.compare import compare as compare
from fusion.explore.similar.nearest import nearest as nearest
from fusion.explore.similar.percentiles import Percentiles as Percentiles
from fusion.explore.similar.reference import Reference as Reference
from fusion.explore.similar.running import compare_running as compare_running
from fusion.explore.similar.warping import align as align
