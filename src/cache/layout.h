#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/ids.h"

namespace weir::cache {

/// Names below a cache directory (docs/formats.md, "Cache directory"). Immutable.
class Layout {
 public:
  explicit Layout(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  std::string lock_file() const { return root_ + "/LOCK"; }
  std::string identity_file() const { return root_ + "/identity"; }
  std::string index() const { return root_ + "/index"; }
  /// Where a damaged index is moved, to be removed once a new one is there.
  std::string damaged_index() const { return root_ + "/index.damaged"; }
  std::string journal() const { return root_ + "/journal"; }
  std::string images() const { return root_ + "/images"; }
  /// `fan` is the first byte of a manifest id.
  std::string images(uint8_t fan) const;
  std::string image_directory(const ManifestId& id) const;
  /// Whole, and safe against power loss.
  std::string final_image(const ManifestId& id) const;
  /// Incomplete, or not yet known to be safe against power loss.
  std::string partial_image(const ManifestId& id) const;
  std::string image(const ManifestId& id, bool final) const { return final ? final_image(id) : partial_image(id); }
  /// Segments of small content.
  std::string small() const { return root_ + "/small"; }
  std::string small(uint32_t segment) const;
  std::string staging() const { return root_ + "/staging"; }
  std::string staging(uint64_t id) const;

 private:
  const std::string root_;
};

struct ImageFileName {
  ManifestId id;
  bool final = false;
};
/// Nothing for a name that is not an image's.
std::optional<ImageFileName> parse_image_name(std::string_view name);
/// Of a staging file or a segment.
std::optional<uint64_t> parse_number(std::string_view name);

/// Names in a directory, in no order. Blocks on the disk.
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace weir::cache
