"""How much each of what is measured of a price weighs when absorption is judged.

Logistic regression; made by `python -m tapeview.bench.weights`.
"""

from typing import Final

BIAS: Final = 1.6132
WEIGHTS: Final = (2.2938, -7.2563, 0.5258, 6.6707, -0.8429, 0.1469, 0.2804, -1.3822, 1.3338, 0.0196, -12.3289)
"""Where every change of the book is seen."""
BIAS_C: Final = -4.9924
WEIGHTS_C: Final = (2.3675, -6.8072, 0.5537, 6.0374, -1.0060, 0.1605, 0.2894, -1.0833, 1.1320, -0.0810, 0.6725)
"""Where levels come together every so often."""
