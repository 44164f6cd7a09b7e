// SPDX-License-Identifier: Apache-2.0
#include "attacks/contract.h"

namespace namid::attacks {
namespace {

// DLR may rise by lowering z_(3) alone, so that even on a linear model a local optimum is its end.
NAMID_ATTACK_CONTRACT(
    Apgd, {.attack = "apgd-ce", .options = {{"steps", "8"}}},
    {.attack = "apgd-dlr", .options = {{"steps", "8"}}, .classes = 3, .reach = 0},
    {.attack = "apgd-t", .options = {{"steps", "8"}}, .classes = 4},
    {.attack = "apgd-ce", .options = {{"steps", "8"}, {"l2_order", "ball-first"}}},
    {.attack = "apgd-t", .options = {{"steps", "8"}, {"l2_order", "ball-first"}}, .classes = 4},
    {.attack = "apgd-ce",
     .options = {{"steps", "8"}, {"compat", "autoattack"}, {"restarts", "2"}}});

}  // namespace
}  // namespace namid::attacks
