"""napari plugin for .pico files: napari finds it by its manifest, napari.yaml. Nothing here needs to be imported."""
