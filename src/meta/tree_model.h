#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "meta/attributes.h"
#include "meta/names.h"
#include "model/inode.h"

namespace weir::meta {

/// What a filesystem does, as simply as can be said: the tests compare a volume with it. Operations return "ok" or the
/// name of the error's code. Inode numbers are those of the volume.
class TreeModel {
 public:
  struct Node {
    FileType type = FileType::kFile;
    uint32_t mode = 0;
    uint32_t link_count = 0;  // of a file: its names
    InodeId parent;           // of a directory
    int64_t mtime_ns = 0;
    int64_t ctime_ns = 0;
    uint64_t size = 0;
    Bytes inline_bytes;
    std::vector<ChunkId> chunks;
    std::map<std::string, Bytes> xattrs;
    std::map<std::string, InodeId> entries;
    bool removed = false;  // a directory without a name
  };

  explicit TreeModel(int64_t now_ns) {
    Node root;
    root.type = FileType::kDirectory;
    root.mode = 0755;
    root.parent = kRootInode;
    root.mtime_ns = root.ctime_ns = now_ns;
    nodes_[kRootInode] = root;
  }

  const std::map<InodeId, Node>& nodes() const { return nodes_; }
  Node* find(InodeId id) {
    auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  void set_now(int64_t now_ns) { now_ns_ = now_ns; }
  std::set<InodeId> open;  // inodes that somebody has open

  std::string may_make(InodeId parent, const std::string& name) {
    if (std::string bad = bad_parent(parent); bad != "ok") return bad;
    return nodes_[parent].entries.contains(name) ? "exists" : "ok";
  }
  void make(InodeId parent, const std::string& name, InodeId id, FileType type, uint32_t mode) {
    if (type == FileType::kDirectory) mode |= nodes_[parent].mode & 02000;  // a setgid directory's are setgid too
    add(id, type, mode, parent);
    nodes_[id].link_count = 1;
    enter(parent, name, id);
  }
  void make_unnamed(InodeId id, uint32_t mode) {
    add(id, FileType::kFile, mode, {});
    open.insert(id);
  }
  std::string link(InodeId id, InodeId parent, const std::string& name) {
    if (std::string bad = bad_parent(parent); bad != "ok") return bad;
    Node* node = find(id);
    if (node == nullptr) return "not_found";
    if (node->type == FileType::kDirectory) return "permission";
    if (nodes_[parent].entries.contains(name)) return "exists";
    ++node->link_count;
    node->ctime_ns = now_ns_;
    enter(parent, name, id);
    return "ok";
  }
  std::string unlink(InodeId parent, const std::string& name) {
    if (std::string bad = bad_parent(parent); bad != "ok") return bad;
    auto target = target_of(parent, name);
    if (!target) return "not_found";
    if (nodes_[*target].type == FileType::kDirectory) return "is_directory";
    leave(parent, name);
    drop(*target);
    return "ok";
  }
  std::string remove_directory(InodeId parent, const std::string& name) {
    if (std::string bad = bad_parent(parent); bad != "ok") return bad;
    auto target = target_of(parent, name);
    if (!target) return "not_found";
    if (nodes_[*target].type != FileType::kDirectory) return "not_directory";
    if (!nodes_[*target].entries.empty()) return "not_empty";
    leave(parent, name);
    drop(*target);
    return "ok";
  }
  std::string rename(InodeId parent, const std::string& name, InodeId new_parent, const std::string& new_name,
                     RenameFlags flags);
  void release(InodeId id) {
    open.erase(id);
    Node* node = find(id);
    if (node != nullptr && is_nameless(*node)) nodes_.erase(id);
  }
  void set_mode(InodeId id, uint32_t mode) {
    nodes_[id].mode = mode;
    nodes_[id].ctime_ns = now_ns_;
  }
  void set_mtime(InodeId id, int64_t mtime_ns) {
    nodes_[id].mtime_ns = mtime_ns;
    nodes_[id].ctime_ns = now_ns_;
  }
  static bool is_nameless(const Node& node) {
    return node.type == FileType::kDirectory ? node.removed : node.link_count == 0;
  }

 private:
  std::string bad_parent(InodeId parent) {
    Node* node = find(parent);
    if (node == nullptr) return "not_found";
    if (node->type != FileType::kDirectory) return "not_directory";
    return node->removed ? "not_found" : "ok";
  }
  std::optional<InodeId> target_of(InodeId parent, const std::string& name) {
    auto found = nodes_[parent].entries.find(name);
    if (found == nodes_[parent].entries.end()) return std::nullopt;
    return found->second;
  }
  void add(InodeId id, FileType type, uint32_t mode, InodeId parent) {
    Node node;
    node.type = type;
    node.mode = mode;
    if (type == FileType::kDirectory) node.parent = parent;
    node.mtime_ns = node.ctime_ns = now_ns_;
    nodes_[id] = node;
  }
  void touch(InodeId directory) { nodes_[directory].mtime_ns = nodes_[directory].ctime_ns = now_ns_; }
  void enter(InodeId parent, const std::string& name, InodeId id) {
    nodes_[parent].entries[name] = id;
    touch(parent);
  }
  void leave(InodeId parent, const std::string& name) {
    nodes_[parent].entries.erase(name);
    touch(parent);
  }
  /// One name less.
  void drop(InodeId id) {
    Node& node = nodes_[id];
    node.ctime_ns = now_ns_;
    if (node.type == FileType::kDirectory) {
      node.removed = true;
    } else {
      --node.link_count;
    }
    if (is_nameless(node) && !open.contains(id)) nodes_.erase(id);
  }
  bool is_below(InodeId id, InodeId ancestor) {
    for (; id != kRootInode; id = nodes_[id].parent)
      if (id == ancestor) return true;
    return ancestor == kRootInode;
  }
  void settle(InodeId id, InodeId parent) {
    nodes_[id].ctime_ns = now_ns_;
    if (nodes_[id].type == FileType::kDirectory) nodes_[id].parent = parent;
  }

  std::map<InodeId, Node> nodes_;
  int64_t now_ns_ = 0;
};

inline std::string TreeModel::rename(InodeId parent, const std::string& name, InodeId new_parent,
                                     const std::string& new_name, RenameFlags flags) {
  if (std::string bad = bad_parent(parent); bad != "ok") return bad;
  if (std::string bad = bad_parent(new_parent); bad != "ok") return bad;
  auto from = target_of(parent, name), to = target_of(new_parent, new_name);
  if (!from || (flags.exchange && !to)) return "not_found";
  if (flags.no_replace && to) return "exists";
  if (from == to) return "ok";
  const bool moves_directory = nodes_[*from].type == FileType::kDirectory;
  if (moves_directory && is_below(new_parent, *from)) return "invalid";
  if (flags.exchange) {
    if (nodes_[*to].type == FileType::kDirectory && is_below(parent, *to)) return "invalid";
    nodes_[parent].entries[name] = *to;
    nodes_[new_parent].entries[new_name] = *from;
    settle(*to, parent);
  } else {
    if (to) {
      const bool replaces_directory = nodes_[*to].type == FileType::kDirectory;
      if (moves_directory && !replaces_directory) return "not_directory";
      if (!moves_directory && replaces_directory) return "is_directory";
      if (!nodes_[*to].entries.empty()) return "not_empty";
      drop(*to);
    }
    nodes_[parent].entries.erase(name);
    nodes_[new_parent].entries[new_name] = *from;
  }
  settle(*from, new_parent);
  touch(parent);
  touch(new_parent);
  return "ok";
}

}  // namespace weir::meta
