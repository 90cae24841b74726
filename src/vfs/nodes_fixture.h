#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "meta/keys.h"
#include "model/node_info.h"
#include "testing/volume_fixture.h"

namespace weir::vfs {

using testing::pattern;
using testing::SharedParts;
using testing::TestVolume;
using testing::VolumeOptions;

/// One node of a volume that several share, with what its kernel would keep: names, sizes and pages by node id. Files
/// are read as through mappings, which never ask for a size.
///
/// Fault model: names, and attributes with them, are kept until expire(), whatever other nodes do meanwhile.
class TestNode : public KernelCache {
 public:
  struct Descriptor {
    KernelNode node;
    HandleId handle = 0;
    bool kept_pages = false;
  };

  TestNode(SharedParts& parts, NodeId node) : volume(options_of(parts, node)) {
    NodeInfo info;
    info.active = true;
    auto transaction = parts.engine.begin();
    transaction->put(meta::keys::node(node), info.encode());
    EXPECT_DONE(transaction->commit());
    volume.fs().connect({.cache = this});
  }

  /// Names that the kernel knows are too old to be used.
  void expire() { names_.clear(); }

  Result<KernelNode> look(const std::string& name) {
    names_.erase(name);
    ASSIGN_OR_RETURN(const Entry entry, volume.fs().lookup(TestVolume::root(), name, volume.caller()));
    sizes_[entry.node.value] = entry.attributes.size;
    if (!entry.fleeting && !entry.once) names_[name] = entry.node;
    return entry.node;
  }
  /// open(2): what is stale is looked up again, once.
  Result<Descriptor> open(const std::string& name, int flags = O_RDONLY) {
    auto known = names_.find(name);
    auto node = known == names_.end() ? look(name) : Result<KernelNode>(known->second);
    if (!node) return Failure(node.error());
    auto opened = volume.fs().open(volume.caller(), *node, flags);
    if (!opened && opened.error().code == Code::kStale) {
      ++stale_;
      node = look(name);
      if (!node) return Failure(node.error());
      opened = volume.fs().open(volume.caller(), *node, flags);
    }
    if (!opened) return Failure(opened.error());
    return keep(*node, *opened);
  }
  Result<Descriptor> create(const std::string& name) {
    ASSIGN_OR_RETURN(const CreatedFile created, volume.create_file(name));
    sizes_[created.entry.node.value] = created.entry.attributes.size;
    if (!created.entry.fleeting) names_[name] = created.entry.node;
    return keep(created.entry.node, created.opened);
  }
  Status close(const Descriptor& descriptor) { return volume.close(descriptor.handle); }

  /// All that a mapping shows.
  Bytes read(const Descriptor& descriptor) {
    auto pages = pages_.find(descriptor.node.value);
    if (pages == pages_.end()) {
      Bytes bytes = TestVolume::must(volume.read(descriptor.handle, 0, kBytesMax));
      pages = pages_.emplace(descriptor.node.value, std::move(bytes)).first;
    }
    Bytes seen = pages->second;
    seen.resize(std::min<size_t>(seen.size(), sizes_[descriptor.node.value]));
    return seen;
  }
  void write(const Descriptor& descriptor, uint64_t offset, std::string_view bytes) {
    EXPECT_DONE(volume.write(descriptor.handle, offset, bytes));
    uint64_t& size = sizes_[descriptor.node.value];
    size = std::max<uint64_t>(size, offset + bytes.size());
    pages_.erase(descriptor.node.value);
  }

  /// open, all that is there, close.
  Bytes get(const std::string& name) {
    const Descriptor descriptor = TestVolume::must(open(name));
    Bytes bytes = read(descriptor);
    EXPECT_DONE(close(descriptor));
    return bytes;
  }
  /// As a shell's `>` does it.
  void put(const std::string& name, std::string_view bytes) {
    auto opened = open(name, O_WRONLY | O_TRUNC);
    if (opened) {
      sizes_[opened->node.value] = 0;
      pages_.erase(opened->node.value);
    }
    const Descriptor descriptor = opened ? *opened : TestVolume::must(create(name));
    write(descriptor, 0, bytes);
    EXPECT_DONE(close(descriptor));
  }
  /// rename(2), the same.
  void rename(const std::string& from, const std::string& to) {
    if (!names_.contains(from)) TestVolume::must(look(from));
    Status renamed = volume.rename(from, to);
    if (!renamed && renamed.error().code == Code::kStale) {
      ++stale_;
      EXPECT_TRUE(look(from));
      renamed = volume.rename(from, to);
    }
    EXPECT_DONE(renamed);
    follow_rename(from, to);
  }
  /// As the kernel does when a rename succeeded; what it was told to expire it does then.
  void follow_rename(const std::string& from, const std::string& to) {
    auto known = names_.extract(from);
    names_.erase(to);
    if (known) names_[to] = known.mapped();
    for (const std::string& name : expired_) names_.erase(name);
    expired_.clear();
  }
  void unlink(const std::string& name) {
    EXPECT_DONE(volume.unlink(name));
    names_.erase(name);
  }
  /// stat(2), where the kernel knows the name and not the attributes.
  uint64_t stat_size(const std::string& name) {
    auto known = names_.find(name);
    const KernelNode node = known == names_.end() ? TestVolume::must(look(name)) : known->second;
    auto attributes = volume.fs().get_attributes(node, volume.caller());
    if (attributes) return attributes->size;
    EXPECT_EQ(attributes.error().code, Code::kNotFound) << attributes.error().what;
    ++stale_;
    const Entry entry = TestVolume::must(volume.fs().lookup(TestVolume::root(), name, volume.caller()));
    if (!entry.attributes.fleeting) return entry.attributes.size;
    return TestVolume::must(volume.fs().get_attributes(entry.node, volume.caller())).size;
  }
  uint64_t stat_size(const Descriptor& descriptor) {
    const Attributes attributes = TestVolume::must(volume.fs().get_attributes(descriptor.node));
    sizes_[descriptor.node.value] = attributes.size;
    return attributes.size;
  }
  size_t stale_opens() const { return stale_; }

  // KernelCache.
  void drop_content(KernelNode node) override { pages_.erase(node.value); }
  void drop_attributes(KernelNode /*node*/) override {}
  void expire_name(KernelNode /*parent*/, std::string_view name) override { expired_.emplace_back(name); }
  void extend(KernelNode node, uint64_t offset, char /*byte*/) override {
    uint64_t& size = sizes_[node.value];
    size = std::max(size, offset + 1);
  }
  void drain() override {}
  bool drain_for(int64_t /*timeout_ms*/) override { return true; }

  TestVolume volume;

 private:
  static constexpr size_t kBytesMax = 16u << 20;

  static VolumeOptions options_of(SharedParts& parts, NodeId node) {
    VolumeOptions options;
    options.shared = &parts;
    options.node = node;
    options.filesystem.shared = true;
    options.filesystem.lifetimes = {.entry_ms = 1000, .attributes_ms = 1000, .absent_ms = 0};
    return options;
  }
  Descriptor keep(KernelNode node, const Opened& opened) {
    if (!opened.keep_cache) pages_.erase(node.value);
    return {node, opened.handle, opened.keep_cache};
  }

  std::map<std::string, KernelNode> names_;
  std::vector<std::string> expired_;
  std::map<uint64_t, uint64_t> sizes_;  // by node id
  std::map<uint64_t, Bytes> pages_;     // of whole files, by node id
  size_t stale_ = 0;
};

/// Two nodes of one volume.
struct TwoNodes {
  SharedParts parts;
  TestNode a{parts, NodeId{1}};
  TestNode b{parts, NodeId{2}};
};

}  // namespace weir::vfs
