# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

import namid
from namid import mi


def scores(n=6, k=3, seed=0):
    return torch.randn(n, n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


READS_SCORES = [
    info.name
    for info in mi.table()
    if info.name not in ("dv-units", "leave-one-out", "club", "club-learned")
]


@pytest.mark.parametrize("name", READS_SCORES)
def test_every_bound_on_scores_is_a_function_that_autograd_goes_through(name):
    u = scores(4, 2).requires_grad_()
    bound = getattr(mi, name.replace("-", "_"))
    assert bound(u).shape == (4, 2)
    assert torch.autograd.gradcheck(lambda t: bound(t).sum(), u)


def test_row_wise_dv_is_the_formula():
    u = scores()
    n = len(u)
    own = torch.stack([u[i, i] for i in range(n)])
    others = torch.stack(
        [torch.stack([u[i, j] for j in range(n) if j != i]).logsumexp(0) for i in range(n)]
    )
    torch.testing.assert_close(mi.dv(u), others - math.log(n - 1) - own)


def test_info_nce_is_the_cross_entropy_of_the_own_pair():
    u = scores(k=1)
    rows = torch.nn.functional.cross_entropy(u[..., 0], torch.arange(len(u)), reduction="none")
    torch.testing.assert_close(mi.info_nce(u)[:, 0], rows - math.log(len(u)))


def test_options_of_a_bound_are_keywords():
    u = scores()
    torch.testing.assert_close(mi.interpolated(u, alpha=0, log_baseline=1), mi.tuba(u))
    with pytest.raises(ValueError, match="alpha"):
        mi.interpolated(u, alpha=2)
    with pytest.raises(ValueError, match="did you mean 'tau'"):
        mi.smile(u, tua=2)


def test_score_tensor_is_the_inner_product():
    global_, local = torch.randn(4, 5), torch.randn(4, 5, 3)
    torch.testing.assert_close(
        mi.score_tensor(global_, local), torch.einsum("iu,juk->ijk", global_, local)
    )


def test_upper_bounds_of_a_known_density_lie_above_the_truth_and_dv_scores_have_no_name_of_mi():
    pairs = mi.known(512, dimension=1, information=1.0)
    rho = math.sqrt(1 - math.exp(-2 * pairs.information))
    density = -((pairs.y - rho * pairs.x.T) ** 2) / (2 * (1 - rho**2))
    assert mi.club(density).mean() > mi.leave_one_out(density).mean() > pairs.information - 0.15
    assert next(info for info in mi.table() if info.name == "dv").kind == "neither"


def test_draws_of_a_known_distribution_depend_on_their_ids_alone():
    whole, later = mi.known(8, seed=3), mi.known(4, seed=3, first_id=4)
    assert torch.equal(whole.x[4:], later.x) and torch.equal(whole.y[4:], later.y)
    assert mi.known(2, shuffled=True).information == 0


def test_selection_is_right_on_x_and_wrong_on_x_adv():
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    adversarial = torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0]])
    y = torch.tensor([0, 0, 0])
    assert mi.select(logits, adversarial, y).tolist() == [True, False, False]
    assert mi.select_right(logits, adversarial, y).tolist() == [False, True, False]


def estimators(**keywords):
    return mi.make_estimators(4, (3, 32, 32), units=8, seed=1, **keywords)


def batch_for(n=6):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.rand(*shape, generator=generator)

    x = draw(n, 3, 32, 32)
    return {
        "x": x,
        "x_adv": (x + 0.1 * draw(n, 3, 32, 32)).clamp(0, 1),
        "logits": draw(n, 4),
        "logits_adv": draw(n, 4),
        "y": torch.randint(4, (n,), generator=generator),
    }


def test_estimators_train_by_an_optimiser_of_torch():
    pair, batch = estimators(), batch_for()
    optimizer = torch.optim.Adam(pair.parameters(), lr=1e-2)
    values = []
    for _ in range(15):
        found = mi.estimation_loss(pair, batch, objective="separate")
        optimizer.zero_grad()
        (found.natural + found.adversarial).backward()
        optimizer.step()
        values.append(found.natural.item())
    assert values[-1] < values[0] - 0.1
    assert found.metrics["natural_score"] == pytest.approx(-values[-1], abs=1e-5)


def test_eq_4_is_the_mean_of_the_estimators_own_loss():
    pair, batch = estimators().eval(), batch_for()
    found = mi.estimation_loss(pair, batch, objective="separate")
    natural = pair.natural.loss(pair.natural.local_features(batch["x"]), batch["logits"])
    torch.testing.assert_close(found.natural, natural.mean())


def test_the_reference_form_is_another_loss_than_the_papers():
    batch = batch_for(24)
    paper = mi.estimation_loss(estimators().eval(), batch)
    released = mi.estimation_loss(
        estimators().eval(), batch, contrast="cosine", selection="batch-softmax", dv_mask="multiply"
    )
    assert paper.natural is not None and not torch.allclose(paper.natural, released.natural)


def test_estimators_go_through_a_file_and_a_state_dict(tmp_path):
    pair, batch = estimators().freeze(), batch_for()
    pair.save(tmp_path / "estimators.safetensors")
    loaded = mi.load_estimators(tmp_path).eval()
    scores = mi.mean_scores(pair, batch)
    assert mi.mean_scores(loaded, batch) == scores
    other = mi.make_estimators(4, (3, 32, 32), units=8, seed=2).eval()
    other.load_state_dict(pair.state_dict())
    assert mi.mean_scores(other, batch) == scores and pair.info["objective"] == "selected"


def test_validation_recovers_a_small_information():
    found = mi.validate(
        seeds=1, steps=150, dimensions=[2], information=[0.5], images=False, controls=False
    )
    assert all(abs(cell["error"]) < 0.15 for cell in found["cells"])


def test_unknown_tensors_of_a_batch_are_named():
    with pytest.raises(ValueError, match="x_avd"):
        mi.estimation_loss(estimators(), {"x_avd": torch.zeros(1)})
    assert namid.mi is mi
