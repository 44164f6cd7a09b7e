# SPDX-License-Identifier: Apache-2.0
"""The step of the Brendel & Bethge attacks (Brendel et al. 2019, arXiv:1907.01003), for every row
of a batch at once, in float64:

    min_d ||d - v||_p  such that  ||d||_2 <= r,  b.d = c,  lower <= d <= upper

where v = x0 - x leads back to the image, b is the normal of the decision boundary, c its distance
times ||b||, and 0 and v are within lower and upper. Where no d meets all of that, the step goes as
far towards the boundary as the ball and the bounds allow. Exact but for L0."""

import dataclasses

import torch

_TRIES = 25
_ROUNDS, _RANKINGS = 60, 8
_CLOSE, _LENGTH, _ROUNDING = 1e-9, 1e-6, 1e-15  # relative: of b.d, of ||d||, of what v holds


@dataclasses.dataclass
class Problem:
    """v, b, lower, upper: (N, D); c, r: (N, 1)."""

    v: torch.Tensor
    b: torch.Tensor
    c: torch.Tensor
    r: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor

    def rows(self, which):
        return Problem(*(each[which] for each in vars(self).values()))


def solve(problem, nearest):
    """(N, D): the steps; `nearest` is l0, l1, l2 or linf."""
    step, t, reached = towards(problem)
    if bool(reached.any()):
        step[reached] = nearest(problem.rows(reached), step[reached], t[reached])
    return step


def dot(a, b):
    return (a * b).sum(1, keepdim=True)


def slack(p):
    """How far b.d may be from c, and ||d||^2 from r^2."""
    v = _ROUNDING * p.v.norm(dim=1, keepdim=True)
    close = p.b.norm(dim=1, keepdim=True) * (_CLOSE * p.r + v) + _CLOSE * p.c.abs()
    return close, (_LENGTH * p.r + v) * p.r


def fill(rate, limit, target):
    """(N, 1): the t >= 0 with sum_i min(t rate_i, limit_i) = target; inf if the limits are less.
    Newton on a concave function comes from below, and past a limit for good."""
    at = limit / rate
    t = torch.zeros_like(target)
    while True:
        full = t >= at
        left = target - torch.where(full, limit, 0).sum(1, keepdim=True)
        ahead = torch.where(left > 0, left / torch.where(full, 0, rate).sum(1, keepdim=True), t)
        if not bool((ahead > t).any()):
            return t
        t = torch.maximum(t, ahead)


def along(t, b, lower, upper):
    """t b within the bounds, also for an infinite t."""
    return torch.where(b == 0, 0, t * b).clamp(lower, upper)


def shortest(p):
    """(the shortest d with b.d = c, t with d = t b in the bounds: infinite for c out of reach)."""
    way = p.c.sign()
    room = torch.where(way * p.b > 0, p.upper, -p.lower)
    t = way * fill(p.b.square(), p.b.abs() * room, p.c.abs())
    return along(t, p.b, p.lower, p.upper), t


def towards(p):
    """(the shortest step with b.d = c, or where there is none in the ball the one farthest towards
    c; its t; which it is)."""
    step, t = shortest(p)
    reached = (t.isfinite() & (step.norm(dim=1, keepdim=True) <= p.r))[:, 0]
    if not bool(reached.all()):
        q, way = p.rows(~reached), p.c[~reached].sign()
        room = torch.where(way * q.b > 0, q.upper, -q.lower)
        t[~reached] = way * fill(q.b.square(), room.square(), q.r.square()).sqrt()
        step[~reached] = along(t[~reached], q.b, q.lower, q.upper)
    return step, t, reached


# Families of points d(s, t), from the shortest step at the first s to less of the distance and a
# longer step; with the derivatives of d by t and by s on the linear piece that they are on. Each is
# the minimum of a weighted sum of distance, ||d||^2 and b.d, so that b.d grows with t.


def _l2_point(p, s, t):
    free = s * p.v + t * p.b
    d = free.clamp(p.lower, p.upper)
    moving = d == free
    return d, p.b * moving, p.v * moving


def _l1_point(p, s, t):
    off = t * p.b - p.v
    free = torch.where(off.abs() > s, t * p.b - off.sign() * s, p.v)
    d = free.clamp(p.lower, p.upper)
    moving = (d == free) & (off.abs() > s)
    return d, p.b * moving, -off.sign() * moving


def _linf_point(p, s, t):
    low, high = torch.maximum(p.lower, p.v - s), torch.minimum(p.upper, p.v + s)
    free = t * p.b
    d = free.clamp(low, high)
    falling, rising = (free < low) & (low > p.lower), (free > high) & (high < p.upper)
    return d, p.b * (d == free), rising.to(d) - falling.to(d)


def _meet(p, point, s, t):
    """(t, d, its derivatives) with b.d = c: Newton on a rising piecewise linear function, kept
    between values known to be too low and too high, which every third round halves."""
    low, high = torch.full_like(t, -torch.inf), torch.full_like(t, torch.inf)
    close = slack(p)[0]
    for done in range(_ROUNDS):
        d, by_t, by_s = point(p, s, t)
        gap = p.c - dot(p.b, d)
        if bool((gap.abs() <= close).all()):
            break
        low, high = torch.where(gap > 0, t, low), torch.where(gap < 0, t, high)
        ahead = t + gap / dot(p.b, by_t)
        halved = (low + high) / 2
        middle = torch.where(halved.isfinite(), halved, t + gap.sign() * (t.abs() + p.r))
        bad = ~((ahead > low) & (ahead < high)) | (done % 3 == 2) & halved.isfinite()
        t = torch.where(gap.abs() <= close, t, torch.where(bad, middle, ahead))
    return t, d, by_t, by_s


def _longest(p, point, near, far, t, d):
    """d(s, t) with b.d = c and ||d|| = r, for s between `near`, where d(s, t) = d is shorter, and
    `far`, where it is longer: what meets both is the best. Newton on both at once is quick but may
    go round in circles: then s is searched for between bounds that close in, t for each s."""
    s, first, limit, (close, about) = near, t, p.r.square(), slack(p)
    best, found = d.clone(), torch.zeros_like(t, dtype=torch.bool)
    for _ in range(_TRIES):
        tried, by_t, by_s = point(p, s, t)
        gap, rise = p.c - dot(p.b, tried), dot(p.b, by_t)
        ahead = _ahead(p, tried, by_t, by_s, gap, s, t, near, far)
        full = (dot(tried, tried) - limit).abs() <= about
        met = (gap.abs() <= close) & (full | ((ahead[0] - s).abs() <= _ROUNDING * s.abs()))
        best, found = torch.where(met, tried, best), found | met
        if bool(found.all()):
            return best
        back = (s + near) / 2, (t + first) / 2
        s, t = (torch.where(rise == 0, *each) for each in zip(back, ahead))
    left = ~found[:, 0]
    best[left] = _enclosed(p.rows(left), point, *(each[left] for each in (near, far, first, d)))
    return best


def _ahead(p, d, by_t, by_s, gap, s, t, near, far):
    """The s and t at which this linear piece has b.d = c and ||d|| = r: along b.d = c the squared
    length is a parabola in s, of which the root counts where it rises towards `far`. Where that is
    not between near and far, s goes halfway to one of them."""
    way, rise = (far - near).sign(), dot(p.b, by_t)
    turn, onto = -dot(p.b, by_s) / rise, gap / rise
    d, along_s = d + onto * by_t, way * (by_s + turn * by_t)
    half, square = dot(d, along_s), dot(along_s, along_s)
    over = dot(d, d) - p.r.square()
    ahead = s - way * over / (half + (half.square() - square * over).sqrt())
    halfway = (s + torch.where(over > 0, near, far)) / 2
    halfway = torch.where(halfway.isfinite(), halfway, 2 * s + p.r)
    inside = ((ahead - near) * way > 0) & ((far - ahead) * way > 0)
    ahead = torch.where(inside, ahead, halfway)
    move = onto + turn * (ahead - s)
    return ahead, torch.where(move.isfinite(), t + move, t)


def _enclosed(p, point, near, far, t, d):
    s, limit, about = near, p.r.square(), slack(p)[1]
    for done in range(_ROUNDS):
        t, tried, by_t, by_s = _meet(p, point, s, t)
        over = dot(tried, tried) - limit
        short = over <= about
        near, far = torch.where(short, s, near), torch.where(short, far, s)
        d = torch.where(short, tried, d)
        found = over.abs() <= about
        if bool(found.all()):
            break
        ahead = _ahead(p, tried, by_t, by_s, torch.zeros_like(t), s, t, near, far)[0]
        middle = (near + far) / 2
        ahead = torch.where(middle.isfinite() & (done % 4 == 3), middle, ahead)
        s = torch.where(found, s, ahead)
    return d


def _shortened(p, free, point, near, far, t, d):
    """`free`, which minds no ball, where it is in the ball; else the best on the sphere."""
    long = (free.norm(dim=1, keepdim=True) > p.r)[:, 0]
    if bool(long.any()):
        part = (each[long] for each in (near, far, t, d))
        free[long] = _longest(p.rows(long), point, *part)
    return free


def l2(p, d, t):
    """d = v s + t b within the bounds, s from 0 to 1."""
    zero, one = torch.zeros_like(t), torch.ones_like(t)
    free = _meet(p, _l2_point, one, t)[1]
    return _shortened(p, free, _l2_point, zero, one, t, d)


def _back(p):
    """(how far b.v is from c, its sign for each entry, the room that entry i of v has that way)."""
    gap = p.c - dot(p.b, p.v)
    sign = gap.sign() * p.b.sign()
    return gap.abs(), sign, torch.where(sign > 0, p.upper - p.v, p.v - p.lower)


def linf(p, d, t):
    """t b within the bounds and within s of v, s from that of the shortest step down. No entry of a
    step in the ball is farther from the shortest one's than sqrt(r^2 - its length^2)."""
    gap, sign, room = _back(p)
    farthest = (d - p.v).abs().amax(1, keepdim=True)
    least = torch.minimum(fill(p.b.abs(), p.b.abs() * room, gap), farthest)
    moved = torch.where(sign == 0, (-p.v).clamp(-least, least), sign * torch.minimum(room, least))
    nearby = farthest - (p.r.square() - dot(d, d)).clamp(min=0).sqrt()
    far = torch.maximum(least, nearby)
    return _shortened(p, p.v + moved, _linf_point, farthest, far, t, d)


def l1(p, d, t):
    """v, or t b with its distance to v lowered by s, s from 0 up; without the ball a linear
    program: entries of v go to their bounds, largest |b_i| first, until b.d = c."""
    gap, sign, room = _back(p)
    order = p.b.abs().argsort(dim=1, descending=True)
    steep, room = p.b.abs().gather(1, order), room.gather(1, order)
    full = steep * room
    left = (gap - (full.cumsum(1) - full)).clamp(min=0)
    moved = torch.minimum(torch.where(steep > 0, left / steep, 0), room)
    free = p.v + sign * torch.zeros_like(moved).scatter(1, order, moved)
    zero = torch.zeros_like(t)
    return _shortened(p, free, _l1_point, zero, torch.full_like(t, torch.inf), t, d)


def l0(p, d, t):
    """v but for few entries, those as short as b.d = c lets them be. Which: the first k by what
    they gain in ||d - t b||^2, for the t of the fewest found so far (first an infinite one: by how
    far they can move b.d), k by bisection. The best set is a search among all; this is not one."""
    gap, sign, room = _back(p)
    gain = p.b.abs() * room
    reach = gain.sort(dim=1, descending=True).values.cumsum(1)
    fewest = (d != p.v).sum(1, keepdim=True)
    least = torch.minimum((reach < gap).sum(1, keepdim=True), fewest - 1)
    numbers = torch.arange(p.v.shape[1], device=p.v.device).expand_as(p.v)
    for _ in range(_RANKINGS):
        order = gain.argsort(dim=1, descending=True)
        place = torch.zeros_like(order).scatter(1, order, numbers)
        low, before = least, fewest
        while bool((fewest - low > 1).any()):
            count = (low + fewest) // 2
            tried, at, fits = _but_for(p, place < count)
            fits &= count < fewest
            d, t = torch.where(fits, tried, d), torch.where(fits, at, t)
            fewest, low = torch.where(fits, count, fewest), torch.where(fits, low, count)
        if bool((fewest == before).all()):
            break
        gain = (p.v - t * p.b).square() - (along(t, p.b, p.lower, p.upper) - t * p.b).square()
    return d


def _but_for(p, changed):
    """(v but for the entries `changed`, at their shortest with b.d = c; its t; whether it fits)."""
    kept = torch.where(changed, 0, p.v)
    free = Problem(p.v, p.b * changed, p.c - dot(p.b, kept), p.r, p.lower, p.upper)
    moved, t = shortest(free)
    d = torch.where(changed, moved, p.v)
    return d, t, t.isfinite() & (d.norm(dim=1, keepdim=True) <= p.r)
