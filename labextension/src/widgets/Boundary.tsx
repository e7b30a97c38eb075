/**
 * Catches what goes wrong while a view is loaded or drawn, and offers to try again.
 */
import { Component } from 'react';
import type { ReactNode } from 'react';

import type { Translation } from '../ui/labels';

interface Props {
  trans: Translation;
  children: ReactNode;
}

export class Boundary extends Component<Props, { error: Error | null }> {
  state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  render(): ReactNode {
    const { trans, children } = this.props;
    if (!this.state.error) {
      return children;
    }
    return (
      <div className="ca-Broken" role="alert">
        <p>{trans.__('This view cannot be shown: %1', this.state.error.message)}</p>
        <p>{trans.__('Try again; if it stays, reload the page.')}</p>
        <button type="button" className="jp-mod-styled" onClick={() => this.setState({ error: null })}>
          {trans.__('Try again')}
        </button>
      </div>
    );
  }
}
