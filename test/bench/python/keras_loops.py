"""Keras on TensorFlow as the benchmarks' opponent: the same network, batch size and Adam in float32, the data in memory, as
the custom training loops that Keras' own guides show. Which of the forms is fastest is for the benchmark to find out."""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from rounds import Data, Loop, Order, serve  # noqa: E402

# More micro-batches than this are a loop inside the graph instead of copies of it.
UNROLLED_MAX = 16


def make_model(layers, shape):
    """Ends with logits: softmax and crossentropy in one operation is what is fast."""
    stack = [keras.Input(shape)]
    for index, layer in enumerate(layers):
        options = {key: value for key, value in layer.items() if key not in ("type", "name")}
        if index == len(layers) - 1:
            assert options.pop("activation") == "softmax"
        match layer["type"]:
            case "conv2d":
                stack.append(keras.layers.Conv2D(**options))
            case "max_pooling2d":
                stack.append(keras.layers.MaxPooling2D(**options))
            case "global_average_pooling2d":
                stack.append(keras.layers.GlobalAveragePooling2D())
            case "flatten":
                stack.append(keras.layers.Flatten())
            case "dense":
                stack.append(keras.layers.Dense(**options))
            case "activation":
                stack.append(keras.layers.Activation(**options))
            case "dropout":
                stack.append(keras.layers.Dropout(**options))
            case "batch_normalization":
                stack.append(keras.layers.BatchNormalization(**options))
            case other:
                raise ValueError(f"no layer {other}")
    return keras.Sequential(stack)


def prepare(request):
    network, form = request["network"], request["form"]
    k = network["accumIters"]
    data = Data(network["data"])
    x_NHWC, y_NK = tf.constant(data.x), tf.constant(data.y)
    model = make_model(network["layers"], data.x.shape[1:])
    weights = model.trainable_variables
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)
    own = form.startswith("keras-accumulation")
    optimizer = keras.optimizers.Adam(0.001, gradient_accumulation_steps=k if own and k > 1 else None)
    optimizer.build(weights)
    function = tf.function(jit_compile=True) if form.startswith("xla") else tf.function

    def gradient(indices):
        with tf.GradientTape() as tape:
            loss = loss_of(tf.gather(y_NK, indices), model(tf.gather(x_NHWC, indices), training=True))
        return loss, tape.gradient(loss, [weight.value for weight in weights])

    accumulator = [tf.Variable(tf.zeros_like(weight.value)) for weight in weights]

    def accumulate(indices):
        loss, found = gradient(indices)
        for sum_, part in zip(accumulator, found):
            sum_.assign_add(part)
        return loss

    def apply():
        optimizer.apply([sum_ / float(k) for sum_ in accumulator], weights)
        for sum_ in accumulator:
            sum_.assign(tf.zeros_like(sum_))

    def window(indices):
        """A whole window, [k, batch_size]."""
        if k > UNROLLED_MAX:
            loss = 0.0
            for i in tf.range(k):
                loss = accumulate(indices[i])
            apply()
            return loss
        loss, total = gradient(indices[0])
        for i in range(1, k):
            loss, found = gradient(indices[i])
            total = [sum_ + part for sum_, part in zip(total, found)]
        optimizer.apply([sum_ / float(k) for sum_ in total] if k > 1 else total, weights)
        return loss

    def own_step(indices):
        loss, found = gradient(indices)
        optimizer.apply(found, weights)
        return loss

    match form:
        # one tf.function a micro-batch and one an update
        case "micro-batch":
            micro_batch, update = function(accumulate), function(apply)

            def step(indices):
                for i in range(k):
                    loss = micro_batch(indices[i])
                update()
                return loss

            calls = 1
        # one tf.function an update
        case "update" | "xla":
            step, calls = function(window), 1
        # Adam(gradient_accumulation_steps=k), one tf.function a micro-batch
        case "keras-accumulation":
            micro_batch = function(own_step)

            def step(indices):
                for i in range(k):
                    loss = micro_batch(indices[i])
                return loss

            calls = 1
        # Adam(gradient_accumulation_steps=k), one tf.function an update
        case "keras-accumulation-update":

            @function
            def step(indices):
                for i in range(k):
                    loss = own_step(indices[i])
                return loss

            calls = 1
        # many updates in one tf.function: what steps_per_execution does; the loop hears nothing of the updates between
        case "updates-32":
            calls = 32

            @function
            def step(indices):
                loss = 0.0
                for i in tf.range(calls):
                    loss = window(indices[i * k : (i + 1) * k])
                return loss

        case other:
            raise ValueError(f"no form {other}")
    return Loop(lambda indices: step(tf.constant(indices)), k * calls, Order(len(data.x), network["batchSize"]))


serve({"tensorflow": tf.__version__, "keras": keras.__version__, "threads": os.environ.get("TF_NUM_INTRAOP_THREADS", "default")}, prepare)
