"""From trained weights to what is shipped: folded networks as ONNX, the exact part as integers in safetensors."""
