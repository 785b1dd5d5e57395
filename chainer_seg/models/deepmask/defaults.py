"""Published settings of full-scene inference, without any imports."""

# The scales of the Torch implementation: 2 ** -2.5, 2 ** -2, ... 2 ** 0.5.
FIRST_EXPONENT, LAST_EXPONENT, EXPONENT_STEP = -2.5, 0.5, 0.5

# A pixel belongs to a mask above this probability; chosen in the Torch code for the AR of masks.
MASK_THRESHOLD = 0.2
