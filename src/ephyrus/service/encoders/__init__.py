"""Bodies of array requests: HDF5, JSON, npy, raw, Arrow, CSV and Zarr."""
