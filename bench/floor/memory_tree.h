#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "base/result.h"

namespace weir::bench {

/// What stat shows of a node of a MemoryTree.
struct NodeFacts {
  uint64_t id = 0;
  uint32_t mode = 0;
  uint64_t size = 0;
  int64_t mtime_ns = 0;
};

struct ListedName {
  std::string name;
  NodeFacts facts;
};

/// Names and files in memory, as simply as they can be kept, without hard links: what is measured with it is what lies
/// above it. Thread-safe; never blocks for long.
class MemoryTree {
 public:
  static constexpr uint64_t kRoot = 1;
  /// Ids below are no files': as a place in a directory they stand for "." and "..".
  static constexpr uint64_t kFirstId = 3;

  MemoryTree();

  Result<NodeFacts> find(uint64_t id);
  Result<NodeFacts> lookup(uint64_t parent, std::string_view name);
  Result<NodeFacts> make(uint64_t parent, std::string_view name, uint32_t mode);
  /// A file, or an empty directory.
  Status remove(uint64_t parent, std::string_view name);
  Status rename(uint64_t parent, std::string_view name, uint64_t new_parent, std::string_view new_name);
  Result<NodeFacts> change(uint64_t id, std::optional<uint32_t> mode, std::optional<uint64_t> size);
  Status write(uint64_t id, uint64_t offset, std::string_view bytes);
  Result<std::string> read(uint64_t id, uint64_t offset, size_t count);
  /// The entry of the lowest id above `after`. Nothing at the end; "." and ".." are not among them.
  Result<std::optional<ListedName>> next_entry(uint64_t directory, uint64_t after);

 private:
  struct Node {
    NodeFacts facts;
    std::string bytes;                                  // of a file
    std::unordered_map<std::string, uint64_t> by_name;  // of a directory
    std::map<uint64_t, std::string> by_id;
  };

  Node* node(uint64_t id) REQUIRES(mutex_);
  std::optional<uint64_t> entry(uint64_t parent, std::string_view name) REQUIRES(mutex_);
  void unlist(uint64_t parent, const std::string& name, uint64_t id) REQUIRES(mutex_);

  Mutex mutex_;
  std::unordered_map<uint64_t, std::unique_ptr<Node>> nodes_ GUARDED_BY(mutex_);
  uint64_t next_id_ GUARDED_BY(mutex_) = kFirstId;
};

}  // namespace weir::bench
