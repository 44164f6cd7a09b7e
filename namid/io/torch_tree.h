// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "namid/io/pickle.h"
#include "namid/io/torch_file.h"
#include "namid/io/torch_storages.h"

namespace namid::io {

/// The tensor that a value of the pickle rebuilds (torch._utils._rebuild_tensor_v2 and its kin,
/// Parameters, subclasses); nothing if it is anything else. Name and container are left empty.
/// DataError for one that does not lie in its storage.
std::optional<TorchTensor> find_tensor(const Pickle& pickle, const TorchStorages& storages,
                                       PickleId id);

/// What stands in a pickle below its root.
struct TorchTree {
  std::vector<TorchTensor> tensors;
  std::vector<TorchObject> objects;
};

/// Walks from the root down: dicts by key, lists and tuples by index, modules as their state_dict()
/// does, other objects by their attributes. What contains itself is not entered again, nor anything
/// below 64 levels; of more than 10,000 objects the others are counted. DataError if tensors (at
/// 256 bytes each) and names add up to more than `max_text` bytes, or if values that several others
/// share make the tree larger than a pickle of that size should.
TorchTree walk_tree(const Pickle& pickle, const TorchStorages& storages, std::size_t max_text);

/// One line about a value: "12", "'sgd'", "argparse.Namespace(...)"; at most 100 characters.
std::string describe(const Pickle& pickle, PickleId id);

/// "module.name" of a global.
std::string global_name(const PickleValue& global);

}  // namespace namid::io
