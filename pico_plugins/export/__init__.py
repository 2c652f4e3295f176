"""From trained weights to what is shipped (folded ONNX networks, integers in safetensors), and on to other runtimes."""
