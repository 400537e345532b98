import numpy as np
import pytest
import tensorflow as tf

from ss_tf.models.pure_network import PureNetwork
from ss_tf.routing.all_resident import AllResident


@pytest.mark.slow
def test_each_network_gives_its_own_logits(model, networks, images, keras_logits):
    subs = [networks.get(superclass) for superclass in range(3)]
    resident = AllResident(PureNetwork(model), base=networks[None], subs=subs)
    assert resident.image_shape == images.shape[1:]
    features = resident.features(tf.constant(images))
    expected = keras_logits(networks[None], images)
    np.testing.assert_array_equal(resident.base_logits(features), expected)
    for superclass in (0, 2):
        found = resident.sub_logits(tf.constant(superclass), features)
        np.testing.assert_array_equal(found, keras_logits(networks[superclass], images))
    kernels = sum(kernel.size for sub in networks.values() for kernel in sub.kernels.values())
    floats = [variable for variable in resident.variables if variable.dtype == tf.float32]
    assert sum(variable.shape.num_elements() for variable in floats) > kernels
