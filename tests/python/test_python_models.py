# SPDX-License-Identifier: Apache-2.0
"""Models of one's own: types, layouts, wrappers, hooks, exceptions, interrupts, threads."""

import threading
import time

import pytest
import torch
from helpers import batch, interrupted_after, linear_model

import namid


def test_non_contiguous_and_channels_last_inputs_give_what_contiguous_ones_give():
    model = linear_model()
    x, y = batch()
    expected = namid.attacks.pgd(model, x, y, epsilon=0.1, steps=3)
    strided = torch.stack([x, x], -1)[..., 0]
    last = x.to(memory_format=torch.channels_last)
    assert not strided.is_contiguous()
    for images in (strided, last):
        found = namid.attacks.pgd(model, images, y, epsilon=0.1, steps=3)
        torch.testing.assert_close(found.adv, expected.adv)
        assert torch.equal(found.success, expected.success)


def test_float64_goes_through_a_float64_model_and_comes_back_so():
    model = linear_model().double()
    x, y = batch()
    x = x.double() + 1e-10
    x = x.clamp(0, 1)
    found = namid.attacks.pgd(model, x, y, epsilon=0.1, steps=3)
    assert found.adv.dtype == torch.float64
    assert (found.adv - x).abs().max() <= 0.1 + 1e-6
    assert torch.equal(found.success, model(found.adv).argmax(1) != y)
    assert torch.equal(namid.attacks.pgd(model, x, y, epsilon=0).adv, x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_images_are_refused_with_what_to_do(dtype):
    x, y = batch()
    with pytest.raises(ValueError, match=r"x\.float\(\)"):
        namid.attacks.pgd(linear_model(), x.to(dtype), y)


def test_a_bfloat16_model_works_inside_a_function():
    model = linear_model().bfloat16()
    x, y = batch()
    found = namid.attacks.pgd(lambda x: model(x.bfloat16()), x, y, epsilon=0.3, steps=3)
    assert found.adv.dtype == torch.float32 and found.success.any()


def test_data_parallel_and_compiled_modules_give_what_the_module_gives():
    model = linear_model()
    x, y = batch()
    expected = namid.attacks.pgd(model, x, y, epsilon=0.1, steps=2).adv
    compiled = torch.compile(model, backend="eager")
    for wrapped in (torch.nn.DataParallel(model), compiled):
        torch.testing.assert_close(
            namid.attacks.pgd(wrapped, x, y, epsilon=0.1, steps=2).adv, expected
        )


def test_hooks_fire_once_per_forward_and_stay():
    model = linear_model()
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    x, y = batch()
    result = namid.attacks.pgd(model, x, y, steps=4)
    assert len(calls) == result.forwards / len(x) + 1  # and the forward that counts the classes
    assert list(model._forward_hooks) == [handle.id]


def test_a_model_without_gradient_is_refused_and_says_what_to_give():
    linear = linear_model()
    x, y = batch()
    with pytest.raises(ValueError, match="gradient"):
        namid.attacks.pgd(lambda x: linear(x.detach()).detach(), x, y, steps=1)


def test_logits_that_are_none_are_refused():
    x, y = batch()
    for model in (lambda x: [x], lambda x: x, lambda x: None):
        with pytest.raises(ValueError, match="logits"):
            namid.attacks.pgd(model, x, y)


def test_attacks_work_under_no_grad_and_inference_mode():
    model = linear_model()
    x, y = batch()
    expected = namid.attacks.pgd(model, x, y, epsilon=0.1, steps=2).adv
    with torch.no_grad():
        assert torch.equal(namid.attacks.pgd(model, x, y, epsilon=0.1, steps=2).adv, expected)
    with torch.inference_mode():
        assert torch.equal(namid.attacks.pgd(model, x, y, epsilon=0.1, steps=2).adv, expected)


def test_an_exception_in_a_backward_of_ones_own_comes_through():
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise KeyError("backward of mine")

    linear = linear_model()
    x, y = batch()
    with pytest.raises(KeyError, match="backward of mine"):
        namid.attacks.pgd(lambda x: linear(Fails.apply(x)), x, y, steps=1)


def test_ctrl_c_stops_an_attack_on_a_python_model_within_a_step():
    linear, calls = linear_model(), []

    def slow(x):
        calls.append(time.monotonic())
        time.sleep(0.02)
        return linear(x)

    x, y = batch()
    with interrupted_after(0.3), pytest.raises(KeyboardInterrupt):
        namid.attacks.pgd(slow, x, y, steps=2000)
    assert len(calls) < 1000


def test_ctrl_c_stops_an_attack_on_a_built_in_model_and_restores_it():
    model = namid.models.create("small_cnn", 3, input_shape=(3, 8, 8), width=4).train()
    x, y = batch(4, shape=(3, 8, 8))
    with interrupted_after(0.3), pytest.raises(KeyboardInterrupt):
        namid.attacks.pgd(model, x, y, steps=50_000)
    assert model.training and all(p.requires_grad for p in model.parameters())


def test_the_interpreter_lock_is_free_while_a_built_in_model_is_attacked():
    model = namid.models.create("small_cnn", 3, input_shape=(3, 32, 32), width=16)
    x, y = batch(16, shape=(3, 32, 32))
    ticks, done = [], threading.Event()

    def count():
        while not done.is_set():
            ticks.append(1)
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    namid.attacks.pgd(model, x, y, steps=10)
    done.set()
    thread.join()
    assert len(ticks) > 5


def test_two_threads_attack_two_models_at_once():
    results = {}
    x, y = batch()
    models = [linear_model(seed) for seed in (1, 2)]
    expected = [namid.attacks.pgd(m, x, y, epsilon=0.1, steps=5).adv for m in models]

    def attack(index):
        results[index] = namid.attacks.pgd(models[index], x, y, epsilon=0.1, steps=5).adv

    threads = [threading.Thread(target=attack, args=(i,)) for i in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert all(torch.equal(results[i], expected[i]) for i in range(2))


def test_a_torch_of_another_minor_version_is_refused_with_both_named():
    from namid import _library

    _library.check("2.13.1+cu130", "2.13.0+cpu")
    with pytest.raises(ImportError, match=r"2\.13.*2\.14\.0"):
        _library.check("2.14.0", "2.13.0+cpu")
