/** The scripts of jobs and probes, embedded as text; `scripts/` says what each needs and does. */
import backupDump from "../../../scripts/backup_dump.sh" with { type: "text" };
import copyDatabase from "../../../scripts/copy_database.sh" with { type: "text" };
import copyFiles from "../../../scripts/copy_files.py" with { type: "text" };
import cronLiveness from "../../../scripts/cron_liveness_probe.py" with { type: "text" };
import cronStartup from "../../../scripts/cron_startup_probe.py" with { type: "text" };
import fileTree from "../../../scripts/file_tree.py" with { type: "text" };
import init from "../../../scripts/init.sh" with { type: "text" };
import initCheck from "../../../scripts/init_check.py" with { type: "text" };
import jobDatabase from "../../../scripts/job_database.py" with { type: "text" };
import loadFacts from "../../../scripts/load_facts.sql" with { type: "text" };
import prepareCopy from "../../../scripts/prepare_copy.sh" with { type: "text" };
import prepareCopyCheck from "../../../scripts/prepare_copy_check.py" with { type: "text" };
import removeFiles from "../../../scripts/remove_files.sh" with { type: "text" };
import restoreLoad from "../../../scripts/restore_load.sh" with { type: "text" };
import swapFiles from "../../../scripts/swap_files.sh" with { type: "text" };
import upgrade from "../../../scripts/upgrade.sh" with { type: "text" };
import upgradeRun from "../../../scripts/upgrade_run.py" with { type: "text" };

export const SCRIPTS = {
  backupDump,
  copyDatabase,
  copyFiles,
  fileTree,
  init,
  initCheck,
  jobDatabase,
  loadFacts,
  prepareCopy,
  prepareCopyCheck,
  removeFiles,
  restoreLoad,
  swapFiles,
  upgrade,
  upgradeRun,
} as const;

/** What the kubelet runs in cron pods, without the comments at the top: every Deployment carries the text. */
export const PROBES = { cronStartup: codeOf(cronStartup), cronLiveness: codeOf(cronLiveness) } as const;

function codeOf(script: string): string {
  return script.replace(/^(#.*\n)+/, "");
}
