// SPDX-License-Identifier: Apache-2.0
#include "namid/io/safetensors_sax.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr std::size_t kMaxExtents = 64;

/// Where the parser stands: outside the document, between tensors, in "__metadata__", in a tensor,
/// in one of its two lists.
enum class At { outside, root, metadata, tensor, shape, offsets };

class HeaderSax {
 public:
  HeaderSax(const std::string& file, std::map<std::string, std::string>& metadata)
      : file_(file), metadata_(metadata) {}
  std::vector<HeaderEntry> take() { return std::move(entries_); }

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a truth value"); }
  bool number_float(double, const std::string&) { return unexpected("a fraction"); }
  bool binary(nlohmann::json::binary_t&) { return unexpected("binary data"); }

  bool number_integer(std::int64_t) { return unexpected("a negative number"); }
  bool number_unsigned(std::uint64_t value) {
    if (at_ == At::offsets) {
      if (++offsets_ > 2) fail("has more than two data_offsets");
      (offsets_ == 1 ? entries_.back().begin : entries_.back().end) = value;
      return true;
    }
    if (at_ != At::shape) return unexpected("a number");
    auto& shape = entries_.back().shape;
    if (shape.size() == kMaxExtents) fail("has more than 64 dimensions");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      fail(str("has an extent of ", value));
    shape.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(std::string& text) {
    if (at_ == At::metadata) {
      if (!metadata_.emplace(key_, text).second) fail("has a key twice");
      return true;
    }
    if (at_ != At::tensor || key_ != "dtype") return unexpected("a text");
    entries_.back().dtype = text;
    return true;
  }

  bool key(std::string& text) {
    key_ = text;
    if (at_ == At::tensor) {
      if (text != "dtype" && text != "shape" && text != "data_offsets")
        fail(str("has the unknown key '", text, "'"));
      if (!seen_.insert(text).second) fail(str("has '", text, "' twice"));
    }
    if (at_ == At::root && !names_.insert(text).second) {
      entries_.push_back({.name = text});
      fail("is there twice");
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (at_ == At::outside) {
      at_ = At::root;
    } else if (at_ == At::root && key_ == "__metadata__") {
      at_ = At::metadata;
    } else if (at_ == At::root) {
      at_ = At::tensor;
      entries_.push_back({.name = key_});
      seen_.clear();
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool end_object() {
    if (at_ == At::tensor && seen_.size() != 3) fail("lacks dtype, shape or data_offsets");
    at_ = at_ == At::root ? At::outside : At::root;
    return true;
  }

  bool start_array(std::size_t) {
    if (at_ != At::tensor || key_ == "dtype") return unexpected("a list");
    at_ = key_ == "shape" ? At::shape : At::offsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() {
    if (at_ == At::offsets && offsets_ != 2) fail("needs two data_offsets");
    at_ = At::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    throw DataError(str(file_, ": offset ", 8 + (position > 0 ? position - 1 : 0),
                        ": the header is not valid JSON"));
  }

 private:
  bool unexpected(std::string_view what) {
    if (at_ == At::metadata) fail(str("has ", what, " where a text belongs"));
    if (at_ == At::root || at_ == At::outside)
      throw DataError(
          str(file_, ": header: ", what, " where tensor '", key_, "' should be described"));
    fail(str("has ", what, " under '", key_, "'"));
  }
  [[noreturn]] void fail(const std::string& what) const {
    const auto who =
        at_ == At::metadata ? std::string("__metadata__") : "tensor '" + entries_.back().name + "'";
    throw DataError(str(file_, ": header: ", who, " ", what));
  }

  const std::string& file_;
  std::map<std::string, std::string>& metadata_;
  std::vector<HeaderEntry> entries_;
  std::set<std::string> names_, seen_;
  std::string key_;
  At at_ = At::outside;
  int offsets_ = 0;
};

}  // namespace

std::vector<HeaderEntry> parse_header_json(std::string_view json, const std::string& file,
                                           std::map<std::string, std::string>& metadata) {
  HeaderSax sax(file, metadata);
  nlohmann::json::sax_parse(json.begin(), json.end(), &sax);
  return sax.take();
}

}  // namespace namid::io
