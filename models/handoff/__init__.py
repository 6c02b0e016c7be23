"""The activity network of two people's skeletons: data, virtual cameras, training, export, running."""
