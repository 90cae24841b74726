#include "power_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace weir::testing {

namespace {

std::string describe(const PowerLedger::States& states) {
  if (!states) return "";
  std::string text = ", with states of";
  for (const auto& state : *states) text += fmt::format(" {}", state->size());
  return text;
}

std::string zeros_of(const Bytes& bytes) {
  auto zeros = std::count(bytes.begin(), bytes.end(), '\0');
  return static_cast<size_t>(zeros) > bytes.size() / 100 + 1 ? fmt::format(" ({} zeros)", zeros) : "";
}

}  // namespace

void PowerLedger::moment() { possible_.push_back(now_); }

PowerLedger::NodeNumber PowerLedger::create(const std::string& name) {
  nodes_.push_back({Version{std::make_shared<Bytes>(), true, nullptr}});
  now_.versions.push_back(0);
  now_.names[name] = nodes_.size() - 1;
  moment();
  return nodes_.size() - 1;
}

void PowerLedger::publish(NodeNumber node, Content content, bool whole, States states) {
  nodes_[node].push_back({std::move(content), whole, std::move(states)});
  now_.versions[node] = nodes_[node].size() - 1;
  moment();
}

void PowerLedger::rename(const std::string& from, const std::string& to) {
  const NodeNumber node = now_.names.at(from);
  auto target = now_.names.find(to);
  const bool replaces = target != now_.names.end() && !content(target->second)->empty();
  Version safe = nodes_[node].back();
  safe.whole = safe.whole || replaces;
  nodes_[node].push_back(std::move(safe));
  now_.versions[node] = nodes_[node].size() - 1;
  now_.names.erase(from);
  now_.names[to] = node;
  moment();
}

void PowerLedger::exchange(const std::string& from, const std::string& to) {
  std::swap(now_.names.at(from), now_.names.at(to));
  moment();
}

void PowerLedger::link(const std::string& from, const std::string& to) {
  now_.names[to] = now_.names.at(from);
  moment();
}

void PowerLedger::unlink(const std::string& name) {
  now_.names.erase(name);
  moment();
}

void PowerLedger::made_safe() {
  possible_ = {now_};
  syncing_.reset();
}

void PowerLedger::made_all_safe() {
  for (auto& versions : nodes_)
    for (Version& version : versions) version.whole = true;
  made_safe();
}

std::optional<PowerLedger::NodeNumber> PowerLedger::find(const std::string& name) const {
  auto found = now_.names.find(name);
  if (found == now_.names.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> PowerLedger::names_of(NodeNumber node) const {
  std::vector<std::string> names;
  for (const auto& [name, other] : now_.names)
    if (other == node) names.push_back(name);
  return names;
}

bool PowerLedger::is_mix(const std::vector<Content>& states, const Bytes& bytes) {
  auto same_size = [&](const Content& state) { return state->size() == bytes.size(); };
  if (std::none_of(states.begin(), states.end(), same_size)) return false;
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto has_byte = [&](const Content& state) { return (i < state->size() ? (*state)[i] : '\0') == bytes[i]; };
    if (std::none_of(states.begin(), states.end(), has_byte)) return false;
  }
  return true;
}

bool PowerLedger::is_one_of(const Version& version, const Bytes& content) {
  return content == *version.content || (version.states && is_mix(*version.states, content));
}

bool PowerLedger::is_ahead(NodeNumber node, const Bytes& content) const {
  if (!syncing_ || syncing_->first != node) return false;
  const std::vector<Version>& versions = nodes_[node];
  return std::any_of(versions.begin() + static_cast<ptrdiff_t>(syncing_->second), versions.end(),
                     [&](const Version& version) { return is_one_of(version, content); });
}

PowerLedger::Verdict PowerLedger::judge(const Moment& moment, const std::map<std::string, Found>& found) const {
  std::set<std::string> names;
  for (const auto& [name, node] : moment.names) names.insert(name);
  for (const auto& [name, file] : found)
    if (names.erase(name) == 0) return {fmt::format("there is a file {}", name), 0};
  if (!names.empty()) return {fmt::format("there is no file {}", *names.begin()), 0};
  std::map<NodeNumber, InodeId> inodes;
  Verdict verdict;
  for (const auto& [name, node] : moment.names) {
    const Found& file = found.at(name);
    if (inodes.emplace(node, file.inode).first->second != file.inode)
      return {fmt::format("{} is not the same file as another of its names", name), 0};
    const Version& version = nodes_[node][moment.versions[node]];
    if (is_one_of(version, file.content)) continue;
    if (is_ahead(node, file.content)) continue;
    if (!version.whole && file.content.empty()) {
      ++verdict.empty_files;
      continue;
    }
    return {fmt::format("file {} has {} bytes{} that are not its content of {} bytes{}, version {}", name,
                        file.content.size(), zeros_of(file.content), version.content->size(), describe(version.states),
                        moment.versions[node]),
            0};
  }
  return verdict;
}

PowerLedger::Verdict PowerLedger::judge(const std::map<std::string, Found>& found) const {
  std::string complaints;
  std::optional<Verdict> best;
  for (auto moment = possible_.rbegin(); moment != possible_.rend(); ++moment) {
    Verdict verdict = judge(*moment, found);
    if (verdict.complaint.empty() && (!best || verdict.empty_files < best->empty_files)) best = verdict;
    complaints += fmt::format("\n  {} steps back: {}", moment - possible_.rbegin(), verdict.complaint);
  }
  if (best) return *best;
  return {"what is there was never there:" + complaints, 0};
}

void PowerLedger::begin_again(const std::map<std::string, Found>& found) {
  nodes_.clear();
  now_ = Moment();
  std::map<InodeId, NodeNumber> nodes;
  for (const auto& [name, file] : found) {
    auto [node, is_new] = nodes.emplace(file.inode, nodes_.size());
    if (is_new) {
      nodes_.push_back({Version{std::make_shared<Bytes>(file.content), true, nullptr}});
      now_.versions.push_back(0);
    }
    now_.names[name] = node->second;
  }
  made_safe();
}

}  // namespace weir::testing
