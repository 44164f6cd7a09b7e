// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace namid::engine {

/// Memory that a thread will want when the products at hand are made: pieces, which the kernels of
/// the products fetch into the second level of the cache, part by part.
class Ahead {
 public:
  /// Pieces that follow one another become one; more than 16 are not kept.
  void add(const float* from, std::int64_t floats) {
    if (count_ > 0 && pieces_[count_ - 1].end == from)
      pieces_[count_ - 1].end += floats;
    else if (count_ < pieces_.size())
      pieces_[count_++] = {from, from + floats};
  }

  /// Where the next `floats` begin; null when everything was handed out.
  const float* take(std::int64_t floats) {
    if (first_ == count_) return nullptr;
    auto& piece = pieces_[first_];
    const float* const from = piece.begin;
    piece.begin += std::min(floats, piece.end - piece.begin);
    if (piece.begin == piece.end) ++first_;
    return from;
  }

 private:
  struct Piece {
    const float *begin, *end;
  };
  std::array<Piece, 16> pieces_ = {};
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace namid::engine
