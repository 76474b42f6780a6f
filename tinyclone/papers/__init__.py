"""The papers that the field grew from, each in one file: WaveNet, Tacotron, Tacotron 2 and MelNet."""
