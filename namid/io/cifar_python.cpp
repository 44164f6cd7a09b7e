// SPDX-License-Identifier: Apache-2.0
#include "namid/io/cifar_python.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/pickle.h"

namespace namid::io {

CifarBatch parse_cifar_python(ByteSpan bytes, const std::string& name, Cifar kind) {
  const Pickle pickle(bytes, name);
  auto data = pickle.array(pickle.at(pickle.root(), "data"), "data");
  if (data.type != NpyType::u1)
    throw DataError(str(name, ": data: expected uint8, got ", name_of(data.type)));
  if (data.shape.size() != 2 || data.shape[1] != static_cast<std::int64_t>(kCifarPixels) ||
      data.shape[0] == 0)
    throw DataError(str(name, ": data: expected the shape (images, ", kCifarPixels, ")"));
  const auto* key = kind == Cifar::ten ? "labels" : "fine_labels";
  CifarBatch batch{std::move(data.data), pickle.integers(pickle.at(pickle.root(), key), key)};
  if (static_cast<std::int64_t>(batch.labels.size()) != data.shape[0])
    throw DataError(
        str(name, ": expected ", data.shape[0], " labels, file holds ", batch.labels.size()));
  for (std::size_t i = 0; i < batch.labels.size(); ++i)
    if (batch.labels[i] < 0 || batch.labels[i] >= classes_of(kind))
      throw DataError(str(name, ": sample ", i, ": expected a label below ", classes_of(kind),
                          ", got ", batch.labels[i]));
  return batch;
}

std::vector<std::string> parse_cifar_names(ByteSpan bytes, const std::string& name, Cifar kind) {
  const Pickle pickle(bytes, name);
  const auto* key = kind == Cifar::ten ? "label_names" : "fine_label_names";
  auto names = pickle.texts(pickle.at(pickle.root(), key), key);
  if (static_cast<std::int64_t>(names.size()) != classes_of(kind))
    throw DataError(str(name, ": expected ", classes_of(kind), " names, got ", names.size()));
  return names;
}

}  // namespace namid::io
