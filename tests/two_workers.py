"""One worker of `tests/test_distribution.py`: trains the made corpus and prints its losses as JSON.

python two_workers.py STRATEGY RUN [SECONDS]
"""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import sys
from pathlib import Path

from made_corpus import SMALL, made_corpus

BUCKETS = ((192, 72, 8),)


def train(strategy: str, run: Path) -> dict:
    """Train six steps of eight clips and return what can be compared."""
    import keras
    import numpy as np

    from tinyclone.batching import BatchSequence
    from tinyclone.training import train_cloner

    class Losses(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.logs = []

        def on_epoch_end(self, epoch, logs=None):
            self.logs.append({name: float(value) for name, value in logs.items()})

    # Each replica clips its own share of the gradient; unclipped, the shares add up to the whole.
    adam = keras.optimizers.Adam
    keras.optimizers.Adam = lambda schedule, *, clipnorm, **others: adam(schedule, **others)
    features, alignments = made_corpus()
    config = dataclasses.replace(SMALL, dropout=0.0)
    data = {"config": config, "speakers": ["ann", "ben"], "buckets": BUCKETS}
    losses = Losses()
    cloner = train_cloner(
        run,
        BatchSequence(features, alignments, steps=6, **data),
        config=config,
        epochs=2,
        validation=BatchSequence(features, alignments, steps=2, seed=1, **data),
        warmup_steps=2,
        callbacks=[losses],
        ema_momentum=0.9,
        strategy=strategy,
    )
    size = sum(float(np.square(np.asarray(weight)).sum()) for weight in cloner.weights)
    return {"epochs": losses.logs, "size_of_weights": size}


if __name__ == "__main__":
    faulthandler.dump_traceback_later(int(sys.argv[3]) if len(sys.argv) > 3 else 3000, exit=True)
    print(json.dumps(train(sys.argv[1], Path(sys.argv[2]))))
