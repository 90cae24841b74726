#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "vfs/files_fixture.h"

namespace weir::vfs {

/// Random operations on a few files of a volume, and what the files must be after each: the same for the same seed.
/// Without a volume only the model moves, so that a test can learn what another process did.
class RandomFiles {
 public:
  /// One inode.
  struct Node {
    SparseBytes bytes;
    std::set<std::string> names;
    KernelNode kernel;
    std::vector<HandleId> handles;
    /// What a kill may leave: the first of these; when `synced` was the last safe point, any mix of them.
    std::vector<SparseBytes> states = {SparseBytes()};
    bool synced = false;
  };
  using Nodes = std::map<uint64_t, Node>;

  RandomFiles(uint64_t seed, TestVolume* volume) : random_(seed), volume_(volume) {}

  /// One operation.
  void step();
  /// Every file that can be reached is as the model says. Requires: a volume.
  void check_all();
  void close_all();
  void remove_all();
  /// Ends all handles as a clean stop does: what was written is published.
  void restart();
  const Nodes& nodes() const { return nodes_; }
  const std::string& last_step() const { return last_step_; }

 private:
  static constexpr uint64_t kSizeMax = 3 * kChunk;
  static constexpr size_t kHandlesMax = 3;

  uint64_t below(uint64_t bound) { return random_.below(bound); }
  bool one_in(uint64_t count) { return below(count) == 0; }
  std::string some_name() { return std::string(1, static_cast<char>('a' + below(7))); }
  uint64_t some_offset();
  uint64_t some_length();
  Node* node_of(const std::string& name);
  /// A node with a handle; null when there is none.
  Node* some_open();
  HandleId some_handle(const Node& node) { return node.handles[below(node.handles.size())]; }
  void changed(Node& node) { node.states.push_back(node.bytes); }
  void published(Node& node) {
    node.states = {node.bytes};
    node.synced = false;
  }
  /// Nodes without names and handles are gone.
  void forget();

  void create();
  void create_unnamed();
  void open();
  void close();
  void write();
  void truncate();
  void allocate();
  void copy();
  void flush();
  void sync();
  void rename();
  void link();
  void unlink();
  void keep_house();

  SeededRandom random_;
  TestVolume* volume_;
  Nodes nodes_;
  uint64_t last_node_ = 0;
  std::string last_step_;
};

inline uint64_t RandomFiles::some_offset() {
  constexpr uint64_t kMarks[] = {0, 4096, 65536, kChunk, kChunk, 2 * kChunk};
  uint64_t mark = kMarks[below(std::size(kMarks))];
  switch (below(4)) {
    case 0: return mark;
    case 1: return mark + below(10'000);
    case 2: return mark - std::min(mark, below(10'000));
    default: return below(kSizeMax);
  }
}

inline uint64_t RandomFiles::some_length() {
  constexpr uint64_t kMarks[] = {1, 10, 5000, 70'000, 300'000, kChunk, kChunk + 5};
  return 1 + below(kMarks[below(std::size(kMarks))]);
}

inline RandomFiles::Node* RandomFiles::node_of(const std::string& name) {
  for (auto& [number, node] : nodes_)
    if (node.names.contains(name)) return &node;
  return nullptr;
}

inline RandomFiles::Node* RandomFiles::some_open() {
  std::vector<Node*> open;
  for (auto& [number, node] : nodes_)
    if (!node.handles.empty()) open.push_back(&node);
  return open.empty() ? nullptr : open[below(open.size())];
}

inline void RandomFiles::forget() {
  std::erase_if(nodes_, [](const auto& entry) { return entry.second.names.empty() && entry.second.handles.empty(); });
}

inline void RandomFiles::create() {
  std::string name = some_name();
  if (node_of(name) != nullptr) return open();
  last_step_ = "create " + name;
  Node& node = nodes_[++last_node_];
  node.names.insert(name);
  HandleId handle = 0;
  if (volume_ != nullptr) {
    auto created = TestVolume::must(volume_->create_file(name));
    handle = created.opened.handle;
    node.kernel = created.entry.node;
  }
  node.handles.push_back(handle);
}

inline void RandomFiles::create_unnamed() {
  last_step_ = "create without a name";
  Node& node = nodes_[++last_node_];
  HandleId handle = 0;
  if (volume_ != nullptr) {
    auto created = TestVolume::must(
        volume_->fs().create_unnamed(volume_->caller(), TestVolume::root(), {.mode = 0600}, O_RDWR | O_TMPFILE));
    handle = created.opened.handle;
    node.kernel = created.entry.node;
  }
  node.handles.push_back(handle);
}

inline void RandomFiles::open() {
  std::string name = some_name();
  bool truncates = one_in(5);
  Node* node = node_of(name);
  if (node == nullptr || node->handles.size() >= kHandlesMax) return;
  last_step_ = "open " + name + (truncates ? " and truncate" : "");
  node->handles.push_back(volume_ != nullptr ? volume_->open(name, O_RDWR | (truncates ? O_TRUNC : 0)) : 0);
  if (!truncates) return;
  node->bytes.truncate(0);
  changed(*node);
}

inline void RandomFiles::close() {
  Node* node = some_open();
  if (node == nullptr) return;
  last_step_ = "close";
  size_t which = below(node->handles.size());
  if (volume_ != nullptr) EXPECT_DONE(volume_->close(node->handles[which]));
  node->handles.erase(node->handles.begin() + static_cast<std::ptrdiff_t>(which));
  published(*node);
  forget();
}

inline void RandomFiles::write() {
  Node* node = some_open();
  if (node == nullptr) return;
  uint64_t offset = one_in(3) ? node->bytes.size() : some_offset();
  uint64_t length = std::min(some_length(), uint64_t{1} << 20);
  if (offset + length > kSizeMax + kChunk) return;
  last_step_ = fmt::format("write {} at {}", length, offset);
  uint64_t seed = one_in(4) ? 1 : random_.next_u64();  // now and then content that others have too
  Bytes bytes = one_in(10) ? Bytes(length, '\0') : pattern(seed, length);
  if (volume_ != nullptr)
    EXPECT_DONE(volume_->write(some_handle(*node), offset, bytes));
  else
    some_handle(*node);
  node->bytes.write(offset, bytes);
  changed(*node);
}

inline void RandomFiles::truncate() {
  Node* node = one_in(2) ? some_open() : node_of(some_name());
  uint64_t size = some_offset();
  if (node == nullptr) return;
  last_step_ = fmt::format("truncate from {} to {}", node->bytes.size(), size);
  if (volume_ != nullptr) EXPECT_DONE(volume_->truncate(node->kernel, size));
  if (size == node->bytes.size() && node->handles.empty()) return;
  node->bytes.truncate(size);
  changed(*node);
  if (node->handles.empty()) published(*node);
}

inline void RandomFiles::allocate() {
  Node* node = some_open();
  if (node == nullptr) return;
  bool zeroes = one_in(2), keep_size = one_in(2);
  uint64_t offset = some_offset();
  uint64_t length = one_in(3) ? kChunk : some_length();
  uint32_t mode = zeroes ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (zeroes && keep_size) mode |= FALLOC_FL_KEEP_SIZE;
  HandleId handle = some_handle(*node);
  last_step_ = fmt::format("fallocate mode {} of {} at {}", mode, length, offset);
  if (volume_ != nullptr) EXPECT_DONE(volume_->allocate(handle, mode, offset, length));
  if (zeroes && !keep_size && offset + length > node->bytes.size()) node->bytes.truncate(offset + length);
  node->bytes.zero(offset, length);
  changed(*node);
}

inline void RandomFiles::copy() {
  Node* from = some_open();
  Node* to = some_open();
  if (from == nullptr || from == to) return;
  uint64_t from_offset = some_offset(), to_offset = some_offset(), length = some_length();
  if (!one_in(3)) {
    from_offset = chunk_offset(chunk_index(from_offset));
    to_offset = chunk_offset(chunk_index(to_offset));
    length = kSizeMax;
  }
  Bytes bytes = from->bytes.read(from_offset, length);
  HandleId source = some_handle(*from), target = some_handle(*to);
  last_step_ = fmt::format("copy {} from {} to {}", bytes.size(), from_offset, to_offset);
  if (volume_ != nullptr) {
    auto copied = volume_->fs().copy_range(volume_->caller(), source, from_offset, target, to_offset, length);
    EXPECT_TRUE(copied.has_value()) << copied.error().what;
    if (copied) {
      EXPECT_EQ(*copied, bytes.size());
    }
  }
  if (bytes.empty()) return;
  to->bytes.write(to_offset, bytes);
  changed(*to);
}

inline void RandomFiles::flush() {
  Node* node = some_open();
  if (node == nullptr) return;
  HandleId handle = some_handle(*node);
  last_step_ = "flush";
  if (volume_ != nullptr) EXPECT_DONE(volume_->flush(handle));
  published(*node);
}

inline void RandomFiles::sync() {
  Node* node = some_open();
  if (node == nullptr) return;
  HandleId handle = some_handle(*node);
  last_step_ = "fsync";
  if (volume_ != nullptr) EXPECT_DONE(volume_->sync(handle));
  published(*node);
  node->synced = true;
}

inline void RandomFiles::rename() {
  std::string from = some_name(), to = some_name();
  meta::RenameFlags flags;
  if (one_in(4)) flags.exchange = true;
  Node* moved = node_of(from);
  Node* target = node_of(to);
  if (moved == nullptr || (flags.exchange && target == nullptr)) return;
  last_step_ = fmt::format("rename {} to {}{}", from, to, flags.exchange ? ", exchanging" : "");
  if (volume_ != nullptr) EXPECT_DONE(volume_->rename(from, to, flags));
  published(*moved);
  if (moved == target) return;
  moved->names.erase(from);
  moved->names.insert(to);
  if (target != nullptr) target->names.erase(to);
  if (flags.exchange) target->names.insert(from);
  forget();
}

inline void RandomFiles::link() {
  std::string name = some_name();
  Node* node = one_in(2) ? some_open() : node_of(some_name());
  // Only O_TMPFILE inodes may get a name back; which those are the model need not know.
  if (node == nullptr || node->names.empty() || node_of(name) != nullptr) return;
  last_step_ = "link to " + name;
  if (volume_ != nullptr) {
    auto linked = volume_->fs().link(volume_->caller(), node->kernel, TestVolume::root(), name);
    EXPECT_TRUE(linked.has_value()) << linked.error().what;
  }
  node->names.insert(name);
  published(*node);
}

inline void RandomFiles::unlink() {
  std::string name = some_name();
  Node* node = node_of(name);
  if (node == nullptr) return;
  last_step_ = "unlink " + name;
  if (volume_ != nullptr) EXPECT_DONE(volume_->unlink(name));
  node->names.erase(name);
  forget();
}

inline void RandomFiles::keep_house() {
  uint64_t what = below(3);
  last_step_ = what == 0 ? "evict" : what == 1 ? "collect" : "drain";
  if (volume_ == nullptr) return;
  if (what == 0) volume_->evict();
  if (what == 1) volume_->collect();
  if (what == 2) drain_uploads(volume_->fs(), 50, {});
}

inline void RandomFiles::step() {
  switch (below(24)) {
    case 0:
    case 1: return create();
    case 2: return create_unnamed();
    case 3:
    case 4: return open();
    case 5:
    case 6: return close();
    case 7:
    case 8: return truncate();
    case 9:
    case 10: return allocate();
    case 11:
    case 12: return copy();
    case 13: return flush();
    case 14: return sync();
    case 15: return rename();
    case 16: return link();
    case 17: return unlink();
    case 18: return keep_house();
    default: return write();
  }
}

inline void RandomFiles::check_all() {
  BytesChecker checker(*volume_);
  for (auto& [number, node] : nodes_) {
    HandleId handle = node.handles.empty() ? 0 : node.handles.back();
    SCOPED_TRACE(fmt::format("file {} ({})", number, fmt::join(node.names, ", ")));
    ASSERT_NO_FATAL_FAILURE(checker.check(node.bytes, node.kernel, handle));
    for (const std::string& name : node.names) ASSERT_EQ(volume_->node(name), node.kernel);
  }
  for (char name = 'a'; name < 'a' + 7; ++name)
    ASSERT_EQ(volume_->exists(std::string(1, name)), node_of(std::string(1, name)) != nullptr) << name;
}

inline void RandomFiles::close_all() {
  for (auto& [number, node] : nodes_) {
    for (HandleId handle : node.handles) EXPECT_DONE(volume_->close(handle));
    node.handles.clear();
    published(node);
  }
  forget();
}

inline void RandomFiles::restart() {
  last_step_ = "restart";
  volume_->restart();
  for (auto& [number, node] : nodes_) {
    node.handles.clear();
    published(node);
  }
  forget();
}

inline void RandomFiles::remove_all() {
  close_all();
  for (auto& [number, node] : nodes_)
    for (const std::string& name : node.names) EXPECT_DONE(volume_->unlink(name));
  nodes_.clear();
}

}  // namespace weir::vfs
