#include "vfs/conflict_copy.h"

#include <algorithm>

#include "base/log.h"
#include "meta/attributes.h"
#include "meta/names.h"

namespace weir::vfs {

namespace {

constexpr int kNames = 1000;  // tried before it is given up

std::string name_of_copy(const Core& core, const std::string& original, int number) {
  std::string suffix = fmt::format(".conflict-node{}", core.volume.node().value);
  if (number > 0) suffix += fmt::format("-{}", number);
  return original.substr(0, limits::kNameBytes - suffix.size()) + suffix;
}

struct Copy {
  Inode inode;
  std::string name;
};

/// An empty file that looks like `original`.
Result<Copy> make_copy(Core& core, const Inode& original, const meta::NamePlace& beside) {
  meta::NewInode wanted;
  wanted.mode = original.mode;
  wanted.uid = original.uid;
  wanted.gid = original.gid;
  for (int number = 0; number < kNames; ++number) {
    std::string name = name_of_copy(core, beside.name, number);
    auto made = meta::make(core.volume, {}, beside.parent, name, wanted);
    if (made) return Copy{std::move(*made), std::move(name)};
    if (made.error().code != Code::kExists) return Failure(made.error());
  }
  return error(Code::kExists, "there are {} conflict copies of {} already", kNames, beside.name);
}

/// It was published before, in a life of this node that ended before it was noted.
Result<bool> is_published(Core& core, const Inode& inode, const meta::Publish& change) {
  if (inode.size != change.size) return false;
  if (change.inline_bytes) {
    if (inode.content.form != Content::Form::kInline) return false;
    Bytes now = inode.content.inline_bytes;
    now.resize(inode.size, '\0');
    return now == *change.inline_bytes;
  }
  if (inode.content.form == Content::Form::kInline) return false;
  ASSIGN_OR_RETURN(const std::vector<ChunkId> chunks, meta::load_chunks(core.volume, inode));
  return std::all_of(change.changes.begin(), change.changes.end(),
                     [&](const meta::ChangedChunk& changed) { return chunks[changed.index] == changed.id; });
}

}  // namespace

Result<meta::Published> keep_conflict_copy(Core& core, const std::optional<meta::NamePlace>& opened_as,
                                           const meta::Publish& change, meta::Publish whole) {
  ASSIGN_OR_RETURN(Inode original, meta::get_inode(core.volume, change.inode));
  ASSIGN_OR_RETURN(const bool there_already, is_published(core, original, change));
  if (there_already) return meta::Published{std::move(original), {}};

  const meta::NamePlace in_root{kRootInode, fmt::format("inode-{}", original.id.value)};
  meta::NamePlace beside = opened_as.value_or(in_root);
  auto copy = make_copy(core, original, beside);
  if (!copy && copy.error().code == Code::kNotFound) {
    beside.parent = kRootInode;
    copy = make_copy(core, original, beside);
  }
  if (!copy) return Failure(copy.error());

  whole.inode = copy->inode.id;
  whole.base_generation = copy->inode.generation;
  whole.fencings = core.volume.membership().fencings;
  auto published = meta::publish(core.volume, {}, whole);
  if (!published) {
    auto removed = meta::unlink(core.volume, {}, beside.parent, copy->name, core.is_open());
    if (!removed) log::warning("an empty conflict copy {} stays: {}", copy->name, removed.error().what);
    return Failure(published.error());
  }
  core.report(fmt::format(
      "other nodes went on without node {}, and changed inode {}, which it had written to; what was written here is "
      "kept as {} in {}",
      core.volume.node().value, original.id.value, copy->name,
      beside.parent == kRootInode ? "the volume's root" : "the directory of the file"));
  return meta::Published{std::move(original), std::move(published->to_upload)};
}

}  // namespace weir::vfs
