#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/manifest.h"

/// Values of the cache's two databases. Each has a version byte in front (docs/formats.md, "Cache directory").
namespace weir::cache {

/// Index: what is known of one image file.
struct ImageRow {
  bool final = false;       // has its final name: whole, and safe against power loss
  bool registered = false;  // its chunks are in the chunk map
  uint8_t uses = 0;
  uint64_t size = 0;  // of the content
  uint64_t disk_bytes = 0;
  int64_t last_used_ns = 0;     // realtime
  uint32_t present_chunks = 0;  // without holes
  uint64_t boot = 0;  // `present` holds if the machine has been up since; otherwise these chunks must be checked
  std::vector<bool> present;     // empty when final
  std::vector<bool> unverified;  // from before a power loss; empty when there are none

  Bytes encode() const;
  static Result<ImageRow> decode(std::string_view bytes);
  bool operator==(const ImageRow&) const = default;
};

/// Journal: chunks of an image that are not stored.
struct UnstoredImage {
  ManifestId id;
  uint64_t size = 0;        // of the content
  bool whole = false;       // `chunks` and holes are all of it
  uint64_t staging_id = 0;  // not 0: this staging file was to become the image; the rename may be missing
  int64_t since_ns = 0;
  std::vector<std::pair<uint32_t, ChunkId>> chunks;  // by chunk index, ascending; without holes

  Bytes encode() const;
  static Result<UnstoredImage> decode(std::string_view bytes);
  bool operator==(const UnstoredImage&) const = default;
};

/// Journal: one small content that is not stored. Its bytes are in a row of their own.
struct UnstoredSmall {
  ChunkId id;
  uint32_t length_bytes = 0;
  int64_t since_ns = 0;

  Bytes encode() const;
  static Result<UnstoredSmall> decode(std::string_view bytes);
  bool operator==(const UnstoredSmall&) const = default;
};

/// Journal: what the owner of a staging file saved with it.
struct StagingRow {
  std::optional<Manifest> sealed;  // the file has become the image of this content
  Bytes record;                    // survives power loss; empty: none
  Bytes handover;                  // for a successor on the running machine only; empty: none

  Bytes encode() const;
  static Result<StagingRow> decode(std::string_view bytes);
  bool operator==(const StagingRow&) const = default;
};

/// First byte of an unstored record: which of the two it is.
enum class UnstoredKind : uint8_t { kImage = 1, kSmall = 2 };
Result<UnstoredKind> unstored_kind(std::string_view bytes);

/// The identity file of a cache directory.
struct Identity {
  uint32_t format = 1;
  std::string volume_id;
  std::string boot_id;  // of the machine when the directory was last opened; empty: never, as after power loss

  Bytes encode() const;
  /// Unsupported for a newer format, whatever follows its number.
  static Result<Identity> decode(std::string_view bytes);
  bool operator==(const Identity&) const = default;
};
inline constexpr uint32_t kCacheFormat = 1;

}  // namespace weir::cache
