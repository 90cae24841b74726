#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace weir {

/// An inode number as the volume knows it. At most 48 bits, so that a kernel node id has room for the kernel epoch.
struct InodeId {
  uint64_t value = 0;
  auto operator<=>(const InodeId&) const = default;
};
inline constexpr InodeId kRootInode{1};
inline constexpr uint64_t kInodeIdMax = (uint64_t{1} << 48) - 1;

/// One machine of the volume.
struct NodeId {
  uint32_t value = 0;
  auto operator<=>(const NodeId&) const = default;
};

/// A page of chunk ids. 0 stands for a page that is all holes and has no row.
struct PageId {
  uint64_t value = 0;
  auto operator<=>(const PageId&) const = default;
};

/// A 256-bit name of content: SHA-256 of what it names.
template <class Tag>
class ContentName {
 public:
  constexpr ContentName() = default;
  explicit constexpr ContentName(const Sha256Digest& digest) : bytes_(digest) {}
  /// Requires: 32 bytes.
  static ContentName from_bytes(std::string_view bytes) {
    ContentName name;
    std::memcpy(name.bytes_.data(), bytes.data(), name.bytes_.size());
    return name;
  }
  static std::optional<ContentName> from_hex(std::string_view text);

  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  const Sha256Digest& digest() const { return bytes_; }
  std::string hex() const;
  /// All zero: a hole for chunks, "none" for manifests.
  bool is_zero() const { return *this == ContentName(); }
  auto operator<=>(const ContentName&) const = default;

 private:
  Sha256Digest bytes_{};
};

/// SHA-256 of a chunk's bytes; all zero for a hole.
using ChunkId = ContentName<struct ChunkTag>;
/// SHA-256 of a manifest's encoding; all zero for content that has none (inline).
using ManifestId = ContentName<struct ManifestTag>;

}  // namespace weir

template <class Tag>
struct std::hash<weir::ContentName<Tag>> {
  size_t operator()(const weir::ContentName<Tag>& name) const {
    size_t value;  // the name is a uniform hash already
    std::memcpy(&value, name.bytes().data(), sizeof value);
    return value;
  }
};
template <>
struct std::hash<weir::InodeId> {
  size_t operator()(weir::InodeId id) const { return std::hash<uint64_t>()(id.value); }
};
