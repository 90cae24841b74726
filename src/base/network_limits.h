#pragma once

#include <cstddef>
#include <cstdint>

/// The bounds of what nodes ask each other, as base/limits.h has those of the rest (docs/peers.md).
namespace weir::limits {

inline constexpr size_t kHoldersAsked = 64;      // of one chunk
inline constexpr int64_t kPeerChunkMs = 20'000;  // one chunk from one node
inline constexpr int64_t kDeadPeerMs = 2'000;    // the same, from one that others found dead
inline constexpr size_t kFuseEarlyThreads = 32;  // for reads that wait for another node
inline constexpr size_t kTokenBytesMin = 16;     // of the token for metrics

}  // namespace weir::limits
