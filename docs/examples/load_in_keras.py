"""The network of keras-recipe.json in Keras 3, with the weights of a job: load_in_keras.py weights.safetensors [probabilities.csv]"""

import sys

import keras
import numpy as np

from exported_weights import read_safetensors, read_validation_digits

# Layers have to have the job's names: `<type>_<n>`, n from 1 for each type, unless the job gave them others.
model = keras.Sequential(
    [
        keras.Input([8, 8, 1]),
        keras.layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv2d_1"),
        keras.layers.BatchNormalization(name="batch_normalization_1"),
        keras.layers.Activation("relu", name="activation_1"),
        keras.layers.MaxPooling2D(name="max_pooling2d_1"),
        keras.layers.Flatten(name="flatten_1"),
        keras.layers.Dense(10, activation="softmax", name="dense_1"),
    ]
)


def load(model, weights):
    """Names, shapes and layouts are Keras's own."""
    rest = dict(weights)
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(rest.pop(f"{layer.name}/{variable.name}"))
    if rest:
        raise ValueError(f"the model has no {', '.join(rest)}")


load(model, read_safetensors(sys.argv[1]))
images, classes = read_validation_digits()
probabilities = model.predict(images, verbose=0)
print(f"accuracy {np.mean(probabilities.argmax(1) == classes):.4f}")
if len(sys.argv) > 2:
    np.savetxt(sys.argv[2], probabilities)
