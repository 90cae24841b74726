#include "bench/floor/memory_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"

namespace weir::bench {

MemoryTree::MemoryTree() {
  MutexLock lock(mutex_);
  auto root = std::make_unique<Node>();
  root->facts = {kRoot, S_IFDIR | 0755, 0, SystemClock().realtime_ns()};
  nodes_.emplace(kRoot, std::move(root));
}

MemoryTree::Node* MemoryTree::node(uint64_t id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : found->second.get();
}

std::optional<uint64_t> MemoryTree::entry(uint64_t parent, std::string_view name) {
  Node* directory = node(parent);
  if (directory == nullptr) return std::nullopt;
  const auto found = directory->by_name.find(std::string(name));
  return found == directory->by_name.end() ? std::nullopt : std::optional(found->second);
}

void MemoryTree::unlist(uint64_t parent, const std::string& name, uint64_t id) {
  Node* directory = node(parent);
  directory->by_name.erase(name);
  directory->by_id.erase(id);
}

Result<NodeFacts> MemoryTree::find(uint64_t id) {
  MutexLock lock(mutex_);
  Node* found = node(id);
  if (found == nullptr) return error(Code::kNotFound, "node {} is not there", id);
  return found->facts;
}

Result<NodeFacts> MemoryTree::lookup(uint64_t parent, std::string_view name) {
  MutexLock lock(mutex_);
  const auto id = entry(parent, name);
  if (!id) return error(Code::kNotFound, "");
  return node(*id)->facts;
}

Result<NodeFacts> MemoryTree::make(uint64_t parent, std::string_view name, uint32_t mode) {
  MutexLock lock(mutex_);
  Node* directory = node(parent);
  if (directory == nullptr) return error(Code::kNotFound, "node {} is not there", parent);
  const uint64_t id = next_id_;
  if (!directory->by_name.emplace(name, id).second) return error(Code::kExists, "");
  ++next_id_;
  directory->by_id.emplace(id, name);
  auto made = std::make_unique<Node>();
  made->facts = {id, mode, 0, SystemClock().realtime_ns()};
  return nodes_.emplace(id, std::move(made)).first->second->facts;
}

Status MemoryTree::remove(uint64_t parent, std::string_view name) {
  MutexLock lock(mutex_);
  const auto id = entry(parent, name);
  if (!id) return error(Code::kNotFound, "");
  if (!node(*id)->by_id.empty()) return error(Code::kNotEmpty, "");
  unlist(parent, std::string(name), *id);
  nodes_.erase(*id);
  return {};
}

Status MemoryTree::rename(uint64_t parent, std::string_view name, uint64_t new_parent, std::string_view new_name) {
  MutexLock lock(mutex_);
  const auto id = entry(parent, name);
  Node* target = node(new_parent);
  if (!id || target == nullptr) return error(Code::kNotFound, "");
  if (const auto replaced = entry(new_parent, new_name)) {
    unlist(new_parent, std::string(new_name), *replaced);
    nodes_.erase(*replaced);
  }
  unlist(parent, std::string(name), *id);
  target->by_name.emplace(new_name, *id);
  target->by_id.emplace(*id, new_name);
  return {};
}

Result<NodeFacts> MemoryTree::change(uint64_t id, std::optional<uint32_t> mode, std::optional<uint64_t> size) {
  MutexLock lock(mutex_);
  Node* found = node(id);
  if (found == nullptr) return error(Code::kNotFound, "node {} is not there", id);
  if (mode) found->facts.mode = (found->facts.mode & S_IFMT) | (*mode & ~static_cast<uint32_t>(S_IFMT));
  if (size) {
    found->bytes.resize(*size);
    found->facts.size = *size;
  }
  return found->facts;
}

Status MemoryTree::write(uint64_t id, uint64_t offset, std::string_view bytes) {
  MutexLock lock(mutex_);
  Node* found = node(id);
  if (found == nullptr) return error(Code::kNotFound, "node {} is not there", id);
  if (found->bytes.size() < offset + bytes.size()) found->bytes.resize(offset + bytes.size());
  std::memcpy(found->bytes.data() + offset, bytes.data(), bytes.size());
  found->facts.size = found->bytes.size();
  return {};
}

Result<std::string> MemoryTree::read(uint64_t id, uint64_t offset, size_t count) {
  MutexLock lock(mutex_);
  Node* found = node(id);
  if (found == nullptr) return error(Code::kNotFound, "node {} is not there", id);
  if (offset >= found->bytes.size()) return std::string();
  return found->bytes.substr(offset, count);
}

Result<std::optional<ListedName>> MemoryTree::next_entry(uint64_t directory, uint64_t after) {
  MutexLock lock(mutex_);
  Node* found = node(directory);
  if (found == nullptr) return error(Code::kNotFound, "node {} is not there", directory);
  const auto next = found->by_id.upper_bound(after);
  if (next == found->by_id.end()) return std::nullopt;
  return ListedName{next->second, node(next->first)->facts};
}

}  // namespace weir::bench
