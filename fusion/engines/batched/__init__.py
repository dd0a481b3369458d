"""Many fits of the same head as one batched model: the same outcome as one after the other, sooner."""

from fusion.engines.batched.engine import BatchedEngine as BatchedEngine
from fusion.engines.batched.reasons import reasons_against as reasons_against
