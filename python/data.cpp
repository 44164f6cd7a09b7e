// SPDX-License-Identifier: Apache-2.0
#include "namid/data/dataset.h"

#include "namid/data/formats.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

py::dict load(const py::dict& given, const std::string& part) {
  data::DataOptions options;
  OptionSet set;
  set.add("", options);
  set_options(set, given);
  if (part != "train" && part != "test")
    throw OptionError(str("part: expected one of train, test, got '", part, "'"));
  data::Dataset dataset;
  {
    const py::gil_scoped_release no_gil;
    dataset = data::load_dataset(options, part == "train" ? data::Part::train : data::Part::test);
  }
  py::dict out;
  out["name"] = dataset.name;
  out["images"] = dataset.images;
  out["labels"] = dataset.labels;
  out["ids"] = dataset.ids;
  out["num_classes"] = dataset.num_classes;
  out["class_names"] = dataset.class_names;
  out["augments"] = data::augments(options, dataset);
  return out;
}

py::list describe_formats() {
  py::list rows;
  for (const auto& info : data::list_datasets()) {
    py::dict row;
    row["name"] = info.name;
    row["files"] = info.files;
    row["description"] = info.description;
    rows.append(row);
  }
  return rows;
}

}  // namespace

void bind_data(py::module_& module) {
  module.def("load_data", &load);
  module.def("data_table", &describe_formats);
  module.def("data_options", [] {
    data::DataOptions options;
    OptionSet set;
    set.add("", options);
    return describe(set);
  });
  module.def("augment", [](const at::Tensor& x, const SampleIds& ids, std::uint64_t seed,
                           std::uint32_t epoch) {
    const py::gil_scoped_release no_gil;
    return data::augment(x, ids, Random(seed, "train/augment"), epoch);
  });
}

}  // namespace namid::python
