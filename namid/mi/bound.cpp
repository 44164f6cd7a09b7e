// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/bound.h"

#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/fenchel.h"
#include "namid/mi/info_nce.h"
#include "namid/mi/interpolated.h"
#include "namid/mi/smile.h"
#include "namid/mi/tuba.h"

namespace namid::mi {
namespace {

constexpr std::string_view kAnyN = "in expectation, any N";
constexpr std::string_view kLimit = "lower only as N grows";

using enum BoundKind;
constexpr std::array kTable{
    BoundInfo{Bound::dv, neither, kLimit, "zhou2022namid",
              "row-wise Donsker-Varadhan, what NAMID trains with"},
    BoundInfo{Bound::dv_pooled, neither, kLimit, "zhu2020wmim",
              "Donsker-Varadhan with the negatives of all rows, WMIM"},
    BoundInfo{Bound::dv_units, neither, "", "zhou2022namid",
              "Donsker-Varadhan with each unit as a critic (dim_losses_post)"},
    BoundInfo{Bound::dv_dim, neither, kLimit, "hjelm2019dim",
              "Donsker-Varadhan as Deep InfoMax codes it"},
    BoundInfo{Bound::fd_gan, neither, "", "nowozin2016fgan", "bounds 2 JS - log 4 from below"},
    BoundInfo{Bound::fd_jsd, neither, "", "nowozin2016fgan", "bounds 2 JS from below"},
    BoundInfo{Bound::fd_x2, neither, "", "hjelm2019dim", "as coded; the dual of no divergence"},
    BoundInfo{Bound::fd_kl, lower, kAnyN, "nguyen2010fdiv", "the same as nwj"},
    BoundInfo{Bound::fd_rkl, neither, "", "nowozin2016fgan",
              "bounds KL(product || joint) from below"},
    BoundInfo{Bound::fd_dv, neither, kLimit, "hjelm2019dim", "column-wise Donsker-Varadhan"},
    BoundInfo{Bound::fd_h2, neither, "", "nowozin2016fgan",
              "bounds the squared Hellinger distance from below"},
    BoundInfo{Bound::fd_w1, neither, "", "hjelm2019dim",
              "Wasserstein-1 if the critic were 1-Lipschitz; nothing here makes it so"},
    BoundInfo{Bound::info_nce, lower, kAnyN, "oord2018cpc",
              "positive in the denominator; at most log N"},
    BoundInfo{Bound::nce_locations, neither, "", "hjelm2019dim",
              "negatives over all locations of the other images, as coded"},
    BoundInfo{Bound::nwj, lower, kAnyN, "nguyen2010fdiv", "no ceiling, variance grows as e^MI"},
    BoundInfo{Bound::tuba, lower, kAnyN, "poole2019bounds", "nwj with a baseline per row"},
    BoundInfo{Bound::interpolated, lower, kAnyN, "poole2019bounds",
              "between tuba and info-nce; at most log(N-1) - log alpha"},
    BoundInfo{Bound::smile, neither, "", "song2020smile", "dv-pooled with clipped ratios"},
    BoundInfo{Bound::leave_one_out, upper, kAnyN, "poole2019bounds",
              "for a known conditional density"},
    BoundInfo{Bound::club, upper, kAnyN, "cheng2020club", "for a known conditional density"},
    BoundInfo{Bound::club_learned, neither, "", "cheng2020club",
              "club with a learned density: no guaranteed bound"}};
static_assert(kTable.size() == EnumNames<Bound>::kNames.size());

}  // namespace

std::span<const BoundInfo> bound_table() {
  return kTable;
}

const BoundInfo& bound_info(Bound bound) {
  return kTable[static_cast<std::size_t>(bound)];
}

at::Tensor bound_loss(const at::Tensor& scores, const BoundOptions& options) {
  validate(options, "bound");
  const at::Tensor baseline = at::scalar_tensor(options.log_baseline, scores.options());
  switch (options.bound) {
    case Bound::dv:
      return donsker_varadhan(scores);
    case Bound::dv_pooled:
      return donsker_varadhan_pooled(scores);
    case Bound::dv_dim:
      return donsker_varadhan_dim(scores).expand({scores.size(0), scores.size(2)});
    case Bound::fd_gan:
    case Bound::fd_jsd:
    case Bound::fd_x2:
    case Bound::fd_kl:
    case Bound::fd_rkl:
    case Bound::fd_dv:
    case Bound::fd_h2:
    case Bound::fd_w1:
      return fenchel(scores, static_cast<FenchelMeasure>(static_cast<int>(options.bound) -
                                                         static_cast<int>(Bound::fd_gan)));
    case Bound::info_nce:
      return info_nce(scores);
    case Bound::nce_locations:
      return info_nce_locations(scores);
    case Bound::nwj:
      return nwj(scores);
    case Bound::tuba:
      return tuba(scores, baseline);
    case Bound::interpolated:
      return interpolated(scores, baseline, options.alpha);
    case Bound::smile:
      return smile(scores, options.tau);
    case Bound::dv_units:
    case Bound::leave_one_out:
    case Bound::club:
    case Bound::club_learned:
      break;
  }
  throw OptionError(str("[bound] bound: ", to_string(options.bound),
                        " reads no score tensor; choose one that does (namid list bounds)"));
}

}  // namespace namid::mi
