#include "object/s3/profile_files.h"

#include <algorithm>
#include <cstdlib>

#include "base/io.h"

namespace weir::object {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string file_of(const char* override_name, std::string_view below_home) {
  std::string path = variable(override_name);
  if (path.empty() && !variable("HOME").empty()) path = fmt::format("{}/.aws/{}", variable("HOME"), below_home);
  return path;
}

std::string credentials_file() { return file_of("AWS_SHARED_CREDENTIALS_FILE", "credentials"); }
std::string config_file() { return file_of("AWS_CONFIG_FILE", "config"); }

/// Empty when there is no such file.
Result<ProfileSections> read_profiles(const std::string& path) {
  if (path.empty()) return ProfileSections();
  auto text = io::read_file(path);
  if (!text && text.error().code == Code::kNotFound) return ProfileSections();
  if (!text) return error(text.error().code, "the profile file {} cannot be read: {}", path, text.error().what);
  return parse_profiles(*text);
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// "[profile x]" of a config file is "[x]" of a credentials file.
std::string section_name(std::string_view inside) {
  constexpr std::string_view kProfile = "profile ";
  std::string_view name = without_blanks(inside);
  if (name.starts_with(kProfile)) name = without_blanks(name.substr(kProfile.size()));
  return std::string(name);
}

std::optional<Credentials> credentials_of(const std::map<std::string, std::string>& section) {
  auto value = [&](const char* name) {
    auto found = section.find(name);
    return found == section.end() ? std::string() : found->second;
  };
  Credentials credentials{value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token"),
                          std::nullopt};
  if (credentials.access_key.empty() || credentials.secret_key.empty()) return std::nullopt;
  return credentials;
}

}  // namespace

ProfileSections parse_profiles(std::string_view text) {
  ProfileSections sections;
  std::map<std::string, std::string>* section = nullptr;
  while (!text.empty()) {
    std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), whole.size() + 1));
    std::string_view line = without_blanks(whole);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      size_t end = line.find(']');
      section = end == std::string_view::npos ? nullptr : &sections[section_name(line.substr(1, end - 1))];
      continue;
    }
    size_t equals = line.find('=');
    // What is indented belongs to the setting above it, which is none of ours.
    if (section == nullptr || equals == std::string_view::npos || whole[0] == ' ' || whole[0] == '\t') continue;
    (*section)[std::string(without_blanks(line.substr(0, equals)))] = without_blanks(line.substr(equals + 1));
  }
  return sections;
}

std::string profile_name(const std::string& profile) {
  if (!profile.empty()) return profile;
  std::string named = variable("AWS_PROFILE");
  return named.empty() ? "default" : named;
}

Result<std::string> region_of_profile(const std::string& profile) {
  for (const std::string& path : {config_file(), credentials_file()}) {
    ASSIGN_OR_RETURN(ProfileSections sections, read_profiles(path));
    auto section = sections.find(profile_name(profile));
    if (section == sections.end()) continue;
    if (auto region = section->second.find("region"); region != section->second.end()) return region->second;
  }
  return std::string();
}

Result<std::optional<Credentials>> ProfileCredentials::load() {
  const std::string name = profile_name(profile_);
  for (const std::string& path : {credentials_file(), config_file()}) {
    ASSIGN_OR_RETURN(ProfileSections sections, read_profiles(path));
    if (auto section = sections.find(name); section != sections.end())
      if (auto found = credentials_of(section->second)) return found;
  }
  if (name != "default")
    return error(Code::kAccess, "{} has no aws_access_key_id and aws_secret_access_key", describe());
  return std::nullopt;
}

std::string ProfileCredentials::describe() const {
  return fmt::format("profile '{}' of {}", profile_name(profile_), credentials_file());
}

}  // namespace weir::object
