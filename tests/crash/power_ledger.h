#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "model/ids.h"

namespace weir::testing {

/// What a user was promised about the files of one directory, and what they may find after the power was lost:
/// - Names and contents are as at one moment that is not before the last one made safe (fsync, barrier). Only the
///   content that an fsync was making safe when the power went may be there before names that changed earlier.
/// - Content that replaced other content, or was fsynced, is whole. Writes after an fsync may be there or not.
/// - Content of a new file that was never synced is whole or empty.
/// Whoever changes something says so before the call, since the power may go in it. Thread rule: one thread.
class PowerLedger {
 public:
  using Content = std::shared_ptr<const Bytes>;
  using NodeNumber = size_t;
  /// What a session's writes after its last fsync may leave in part.
  using States = std::shared_ptr<std::vector<Content>>;

  NodeNumber create(const std::string& name);
  /// The node gets this content. `whole`: it must not be found empty.
  void publish(NodeNumber node, Content content, bool whole, States states = nullptr);
  /// An fsync of the node begins; made_safe() ends it.
  void begin_sync(NodeNumber node) { syncing_ = {node, nodes_[node].size()}; }
  void rename(const std::string& from, const std::string& to);
  void exchange(const std::string& from, const std::string& to);
  void link(const std::string& from, const std::string& to);
  void unlink(const std::string& name);

  /// All until now was made safe. Requires: the power was there afterwards.
  void made_safe();
  /// Also the bytes of what was never fsynced.
  void made_all_safe();

  std::optional<NodeNumber> find(const std::string& name) const;
  const Content& content(NodeNumber node) const { return nodes_[node].back().content; }
  const std::map<std::string, NodeNumber>& names() const { return now_.names; }
  std::vector<std::string> names_of(NodeNumber node) const;

  /// What was found after a power cut, by name.
  struct Found {
    InodeId inode;
    Bytes content;
  };
  struct Verdict {
    std::string complaint;     // empty: all is as promised
    uint64_t empty_files = 0;  // new files that must have been lost
  };
  Verdict judge(const std::map<std::string, Found>& found) const;
  /// What was found is what there is.
  void begin_again(const std::map<std::string, Found>& found);

 private:
  struct Version {
    Content content;
    bool whole = true;
    States states;
  };
  struct Moment {
    std::map<std::string, NodeNumber> names;
    std::vector<size_t> versions;  // of each node
  };

  void moment();
  Verdict judge(const Moment& moment, const std::map<std::string, Found>& found) const;
  static bool is_one_of(const Version& version, const Bytes& content);
  bool is_ahead(NodeNumber node, const Bytes& content) const;
  static bool is_mix(const std::vector<Content>& states, const Bytes& bytes);

  std::vector<std::vector<Version>> nodes_;
  Moment now_;
  std::optional<std::pair<NodeNumber, size_t>> syncing_;  // and its first version that may be ahead
  std::vector<Moment> possible_ = {Moment()};
};

}  // namespace weir::testing
