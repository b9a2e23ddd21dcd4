/**
 * What pg_restore lists in a dump and no copy of an Odoo may have, beside extensions, which are judged by their names. The
 * patterns are regular expressions for this program and for awk (scripts/copy_database.sh) alike.
 */

/** Beginnings of entries, as `pg_restore --list` words them behind the numbers, and what they are called when left out. */
export const LEFT_OUT_ENTRIES: readonly (readonly [string, string])[] = [
  ["COMMENT - (EXTENSION|PUBLICATION|SUBSCRIPTION|EVENT TRIGGER|DATABASE) ", "COMMENT"],
  ["COMMENT - SCHEMA public ", "COMMENT"],
  ["SCHEMA - public ", "SCHEMA"],
  ["(ACL|DEFAULT ACL) ", "ACL"],
  ["SECURITY LABEL ", "SECURITY LABEL"],
  ["PUBLICATION ", "PUBLICATION"],
  ["SUBSCRIPTION ", "SUBSCRIPTION"],
  ["EVENT TRIGGER ", "EVENT TRIGGER"],
  ["(DATABASE|DATABASE PROPERTIES) ", "DATABASE"],
  ["PROCEDURAL LANGUAGE - plpgsql ", "PROCEDURAL LANGUAGE"],
];
