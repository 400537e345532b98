"""Parts of benchmarks/input_pipeline.py: images, pipelines over them, and their timing."""
