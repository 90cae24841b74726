#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "meta/check.h"
#include "meta/keys.h"
#include "meta/rows.h"

/// What the parts of check() share. Internal. Thread rule: one thread.
namespace weir::meta {

/// Buffers the writes that mend a problem.
using Fix = std::function<Status(kv::Transaction&)>;

class CheckContext {
 public:
  CheckContext(Volume& volume, bool repair, const Report& report) : volume_(volume), repair_(repair), report_(report) {}

  Volume& volume() { return volume_; }
  bool repairs() const { return repair_; }
  CheckCounts& counts() { return counts_; }

  /// A problem with an inode (or 0: with none). Without `fix` it cannot be mended without loss.
  Status found(std::string kind, std::string what, InodeId about, const Fix& fix);
  /// Problems wait for the path of their inode, since names are read after contents.
  bool wants_path(InodeId inode) const { return waiting_for_path_.contains(inode); }
  void set_path(InodeId inode, const std::string& path) { waiting_for_path_[inode] = path; }
  /// From now on nothing waits any more.
  void paths_are_known();

  /// Calls `visit` for every row of the range, in order.
  Status for_each(const kv::KeyRange& range, const std::function<Status(const kv::KeyValue&)>& visit);
  /// For each row of a tag, decoded; rows that cannot be decoded are reported and passed over.
  template <class Row>
  Status for_each_decoded(keys::Tag tag, const std::function<Status(const kv::KeyValue&, Row)>& visit) {
    return for_each(keys::all_of(tag), [&](const kv::KeyValue& row) -> Status {
      Result<Row> decoded = Row::decode(row.bytes);
      if (!decoded) return found_undecodable(row, decoded.error());
      return visit(row, std::move(*decoded));
    });
  }
  Status found_undecodable(const kv::KeyValue& row, const Error& problem);
  Result<std::vector<std::optional<kv::Value>>> get_many(const std::vector<Bytes>& row_keys);

  /// Remembers a number of that kind in use, for the check of the counters.
  void saw_number(keys::CounterKind kind, uint64_t number);
  Status check_counters();

 private:
  void flush();
  struct Waiting {
    Problem problem;
    InodeId about;
  };

  Volume& volume_;
  const bool repair_;
  const Report& report_;
  CheckCounts counts_;
  bool paths_known_ = false;
  std::vector<Waiting> waiting_;
  std::unordered_map<InodeId, std::string> waiting_for_path_;
  std::map<keys::CounterKind, uint64_t> highest_;
};

}  // namespace weir::meta
