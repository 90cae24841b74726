#include "meta/check.h"

#include "meta/check_content.h"
#include "meta/check_context.h"
#include "meta/check_tree.h"
#include "meta/lock_row.h"

namespace weir::meta {

namespace {

/// Tags of later parts of Weir, whose rows are none of this check's business.
constexpr std::string_view kForeignTags = "NnSvW";
constexpr std::string_view kOwnTags = "IDTXMCRHBOQYAFK";

Status check_inode_rows(CheckContext& context, TreeCheck& tree, ContentCheck& content) {
  return context.for_each(keys::all_of(keys::kInode), [&](const kv::KeyValue& row) -> Status {
    auto number = keys::parse_number(row.key);
    if (!number) return context.found_undecodable(row, number.error());
    auto inode = Inode::decode(InodeId{*number}, row.bytes);
    if (!inode) {
      tree.add_undecodable(InodeId{*number});
      return context.found_undecodable(row, inode.error());
    }
    tree.add_inode(*inode);
    return inode->type == FileType::kFile ? content.check_file(*inode) : Status();
  });
}

Status check_other_rows(CheckContext& context) {
  TRY(context.for_each_decoded<SlotRow>(keys::kSlot, [](const kv::KeyValue&, const SlotRow&) { return Status(); }));
  TRY(context.for_each_decoded<CounterRow>(keys::kCounter,
                                           [](const kv::KeyValue&, const CounterRow&) { return Status(); }));
  TRY(context.for_each(keys::all_of(keys::kLocks), [&](const kv::KeyValue& row) -> Status {
    auto key = keys::parse_locks(row.key);
    auto parts = key ? LockRow::count_parts(row.bytes) : Result<uint32_t>(Failure(key.error()));
    return parts ? Status() : context.found_undecodable(row, parts.error());
  }));
  // Between the tags in use there is nothing.
  for (int tag = 0; tag < 256; ++tag) {
    const char letter = static_cast<char>(tag);
    if (kForeignTags.find(letter) != std::string_view::npos || kOwnTags.find(letter) != std::string_view::npos)
      continue;
    TRY(context.for_each(keys::all_of(static_cast<keys::Tag>(letter)), [&](const kv::KeyValue&) -> Status {
      return context.found("unknown_row", fmt::format("there is a row of an unknown kind {}", tag), InodeId{}, nullptr);
    }));
  }
  return context.check_counters();
}

}  // namespace

Result<CheckCounts> check(Volume& volume, bool repair, const Report& report, const VisitChunk& visit_chunk) {
  CheckContext context(volume, repair, report);
  TreeCheck tree(context);
  ContentCheck content(context, visit_chunk);
  TRY(content.read_queue());
  TRY(check_inode_rows(context, tree, content));
  TRY(content.check_pages());
  TRY(content.check_chunks());
  TRY(tree.check_entries());
  TRY(tree.check_deltas());
  TRY(tree.check_xattrs());
  TRY(tree.check_orphans());
  TRY(tree.check_inodes());
  TRY(check_other_rows(context));
  return context.counts();
}

}  // namespace weir::meta
