// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Everything a program on namid needs: includes only.
#include "namid/attacks/a3.h"                  // IWYU pragma: export
#include "namid/attacks/apgd.h"                // IWYU pragma: export
#include "namid/attacks/apgd_t.h"              // IWYU pragma: export
#include "namid/attacks/cw.h"                  // IWYU pragma: export
#include "namid/attacks/ddn.h"                 // IWYU pragma: export
#include "namid/attacks/deepfool.h"            // IWYU pragma: export
#include "namid/attacks/di_fgsm.h"             // IWYU pragma: export
#include "namid/attacks/fab.h"                 // IWYU pragma: export
#include "namid/attacks/fab_t.h"               // IWYU pragma: export
#include "namid/attacks/fgsm.h"                // IWYU pragma: export
#include "namid/attacks/fmn.h"                 // IWYU pragma: export
#include "namid/attacks/frank_wolfe.h"         // IWYU pragma: export
#include "namid/attacks/malt.h"                // IWYU pragma: export
#include "namid/attacks/mi_fgsm.h"             // IWYU pragma: export
#include "namid/attacks/noise.h"               // IWYU pragma: export
#include "namid/attacks/pgd.h"                 // IWYU pragma: export
#include "namid/attacks/projected_sinkhorn.h"  // IWYU pragma: export
#include "namid/attacks/random_search.h"       // IWYU pragma: export
#include "namid/attacks/spatial_flow.h"        // IWYU pragma: export
#include "namid/attacks/spatial_grid.h"        // IWYU pragma: export
#include "namid/attacks/square.h"              // IWYU pragma: export
#include "namid/attacks/targets.h"             // IWYU pragma: export
#include "namid/attacks/ti_dim.h"              // IWYU pragma: export
#include "namid/attacks/ti_fgsm.h"             // IWYU pragma: export
#include "namid/attacks/transfer.h"            // IWYU pragma: export
#include "namid/attacks/transport_pgd.h"       // IWYU pragma: export
#include "namid/attacks/warp.h"                // IWYU pragma: export
#include "namid/data/dataset.h"                // IWYU pragma: export
#include "namid/defenses/registry.h"           // IWYU pragma: export
#include "namid/engine/compile.h"              // IWYU pragma: export
#include "namid/eval/curve.h"                  // IWYU pragma: export
#include "namid/eval/evaluate.h"               // IWYU pragma: export
#include "namid/eval/gate.h"                   // IWYU pragma: export
#include "namid/eval/masking.h"                // IWYU pragma: export
#include "namid/eval/surrogate.h"              // IWYU pragma: export
#include "namid/eval/transfer_images.h"        // IWYU pragma: export
#include "namid/mi/objectives.h"               // IWYU pragma: export
#include "namid/models/bfloat16.h"             // IWYU pragma: export
#include "namid/models/model_file.h"           // IWYU pragma: export
#include "namid/models/registry.h"             // IWYU pragma: export
#include "namid/models/weights.h"              // IWYU pragma: export
#include "namid/report/report.h"               // IWYU pragma: export
#include "namid/run/run_folder.h"              // IWYU pragma: export
#include "namid/train/train.h"                 // IWYU pragma: export
