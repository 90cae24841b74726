#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/inode.h"

/// The smaller values of the metadata engine. Each encodes with a version byte in front (docs/data-model.md).
namespace weir {

/// Value of a `D` row. The key holds only the hash of the name, so that a look-up is one read.
struct Dentry {
  InodeId inode;  // 0: nothing is here any more, but a name that was moved on by a collision may be behind
  FileType type = FileType::kFile;
  std::string name;
  bool continues = false;  // a name whose hash is this place or one before may be in the next place

  /// Where the inode stands in the encoding.
  static constexpr size_t kInodeOffset = 1;
  static constexpr size_t kInodeBytes = 8;

  Bytes encode() const;
  static Result<Dentry> decode(std::string_view bytes);
  bool operator==(const Dentry&) const = default;
};

/// Value of a `T` row: what one node did to a directory since the row was folded.
struct DirectoryDelta {
  int64_t entries = 0;
  int64_t subdirectories = 0;
  int64_t mtime_ns = 0;  // of the last change; ctime is the same

  Bytes encode() const;
  static Result<DirectoryDelta> decode(std::string_view bytes);
  bool operator==(const DirectoryDelta&) const = default;
};

enum class ChunkState : uint8_t { kStaged = 1, kStored = 2, kCondemned = 3 };

/// Value of a `C` row.
struct ChunkRecord {
  uint64_t generation = 0;  // part of the object's name
  ChunkState state = ChunkState::kStaged;
  bool was_stored = false;  // of a condemned chunk: there is an object to delete
  uint32_t length_bytes = 0;

  Bytes encode() const;
  static Result<ChunkRecord> decode(std::string_view bytes);
  bool operator==(const ChunkRecord&) const = default;
};

/// Value of the `F` row: what is fixed at format, and who may work on the volume.
/// How safe what was fsynced is when fsync returns, from less to more.
enum class Durability : uint8_t {
  kLocal = 0,   // on this node's disk
  kZone = 1,    // on a second node of the zone; while there is none, as kStored
  kStored = 2,  // in the object store
};
inline constexpr std::string_view kDurabilityNames[] = {"local", "zone", "stored"};
std::string_view durability_name(Durability durability);
/// Nothing for other names.
std::optional<Durability> durability_of(std::string_view name);

struct VolumeSettings {
  std::string volume_id;    // 32 hex digits, random
  std::string incarnation;  // 32 hex digits, random; new whenever the database is copied or restored
  std::string name;
  std::string store_url;
  uint32_t oldest_reader = 1;  // format version that a program must know to read
  uint32_t oldest_writer = 1;  // … and to write
  uint64_t name_hash_key[2] = {0, 0};
  int64_t created_ns = 0;
  int64_t grace_ms = 3'600'000;  // how long superseded content stays readable
  Durability durability = Durability::kLocal;

  Bytes encode() const;
  static Result<VolumeSettings> decode(std::string_view bytes);
};
/// Format version that this program writes and the highest that it reads.
inline constexpr uint32_t kVolumeFormat = 1;

}  // namespace weir
