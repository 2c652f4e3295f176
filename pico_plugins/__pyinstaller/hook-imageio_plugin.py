"""imageio imports the plugin by name."""

hiddenimports = ["imageio_plugin.plugin"]
