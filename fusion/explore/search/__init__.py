"""Which clips sound, or read, like this one: exact among few, by a vector index among many, with filters and keywords.

from fusion.explore.search import Searcher, open_rows, stream_of

store = EmbeddingStore()
source = EncoderVectors(ManifestSource(path="calls.csv"), build=Emotion2vecExtractor, store=store)
rows = open_rows(stream_of(source), store.path)  # or ExactRows.of(source.collect()), or VectorIndex.open(folder)
search = Searcher(rows, source)
for hit in search(Path("clip.wav"), k=10, where="speaker = 'anna' AND label = 'angry'"):
    hit.id, hit.cosine, hit.percentile, hit.metadata["text"]
search("call-17", k=10)  # like a clip of the collection, itself left out
search(mode="keyword", words="money back")
"""

from fusion.explore.search.exact import ExactRows as ExactRows
from fusion.explore.search.hits import Hit as Hit
from fusion.explore.search.index import VectorIndex as VectorIndex
from fusion.explore.search.opening import open_rows as open_rows
from fusion.explore.search.searcher import Searcher as Searcher
from fusion.explore.search.streams import stream_of as stream_of
