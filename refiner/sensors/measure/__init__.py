"""The numbers of a camera, measured from its maps.

`whole.measure` takes windows of recorded images at the camera's own pixels, `crops.measure_crops` maps that were
cropped and resampled before. `names.MEASURES` lists what is measured.
"""
