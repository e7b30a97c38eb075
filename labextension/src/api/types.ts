/**
 * Short names for the generated types of the contract.
 *
 * Nothing is described here: `generated.ts` comes from the server's OpenAPI document.
 */
import type { components } from './generated';

type Schemas = components['schemas'];

export type Project = Schemas['Project'];
export type CreatedProject = Schemas['CreatedProject'];
export type ProjectRow = Schemas['ProjectRow'];
export type Definition = Schemas['Definition'];
export type Agent = Schemas['Agent'];
export type Subagent = Schemas['Subagent'];
export type Hook = Schemas['Hook'];
export type McpServer = Schemas['McpServer'];
export type McpTest = Schemas['McpTest'];
export type Backtest = Schemas['Backtest'];
export type BacktestRow = Schemas['BacktestRow'];
export type Note = Schemas['Note'];
export type Limits = Schemas['Limits'];
export type PartialLimits = Partial<Schemas['PartialLimits']>;
export type Position = Schemas['Position'];
export type UiPatch = Partial<Schemas['UiPatch']>;
export type Problem = Schemas['Problem'];
export type Validation = Schemas['Validation'];
export type Estimate = Schemas['Estimate'];
export type Scope = Schemas['KeyCreate']['scopes'][number];
export type KeyRow = Schemas['KeyRow'];
export type CreatedKey = Schemas['CreatedKey'];
export type SecretRow = Schemas['SecretRow'];
export type VersionRow = Schemas['VersionRow'];
export type Version = Schemas['Version'];
export type VersionDiff = Schemas['VersionDiff'];
export type FileChange = Schemas['FileChange'];
export type ImportedProject = Schemas['ImportedProject'];
export type BackupRow = Schemas['BackupRow'];
export type Restored = Schemas['Restored'];
export type Queue = Schemas['Queue'];
export type TemplateRow = Schemas['TemplateRow'];
export type ToolRow = Schemas['ToolRow'];
export type ModelRow = Schemas['ModelRow'];
export type ModelList = Schemas['ModelList'];
export type FileRow = Schemas['FileRow'];
export type Begun = Schemas['Begun'];
export type Accepted = Schemas['Accepted'];
export type ExecuteRequest = Partial<Schemas['ExecuteRequest']>;
export type ForkRequest = Partial<Schemas['ForkRequest']> & Pick<Schemas['ForkRequest'], 'from_event'>;
export type CassetteRow = Schemas['CassetteRow'];
export type Upload = Schemas['Upload'];
export type ExecutionState = Schemas['ExecutionState'];
export type Status = ExecutionState['status'];
export type Preview = Schemas['Preview'];
export type ApprovalDecision = Partial<Schemas['ApprovalDecision']> &
  Pick<Schemas['ApprovalDecision'], 'decision'>;
export type Metrics = Schemas['Metrics'];
export type MetricsWindow = Metrics['window'];
export type Bucket = Schemas['Bucket'];
export type Counts = Schemas['Counts'];
export type ToolFigures = Schemas['ToolFigures'];
export type Usage = Schemas['Usage'];
export type PercentOfLimit = Schemas['PercentOfLimit'];
export type ContextWindow = Schemas['ContextWindow'];

export type TextPart = Schemas['TextPart'];
export type ImagePart = Schemas['ImagePart'];
export type FilePart = Schemas['FilePart'];
export type DisplayPart = Schemas['DisplayPart'];
export type OutputPart = TextPart | ImagePart | FilePart | DisplayPart;

/** What a project would run, and the hash that stands for it. */
export type Agreement = Schemas['Agreement'];

/** One line of an execution's log. */
export type ExecutionEvent =
  | Schemas['Queued']
  | Schemas['Start']
  | Schemas['Interrupted']
  | Schemas['Resumed']
  | Schemas['AgentStart']
  | Schemas['AgentComplete']
  | Schemas['Thinking']
  | Schemas['Text']
  | Schemas['ToolCall']
  | Schemas['ToolResult']
  | Schemas['ClientCall']
  | Schemas['ApprovalRequired']
  | Schemas['Approval']
  | Schemas['Waiting']
  | Schemas['Running']
  | Schemas['HookEventRecord']
  | Schemas['CostUpdate']
  | Schemas['Warning_']
  | Schemas['Complete']
  | Schemas['Error']
  | Schemas['Cancelled'];

/** One page of a list. */
export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** Statuses that never change again. */
export function hasEnded(status: Status): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}
